#include "launcher/report/goodput_message.hpp"

#include "common/duration_text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace ddp {

std::string goodput_text(const core::Goodput& goodput) {
  std::string text = fmt::format("{:.1f} % of {} was {}", 100 * goodput.ratio(),
                                 short_duration(goodput.total), core::kGoodputParts.front().what);
  std::vector<core::GoodputPart> parts(core::kGoodputParts.begin() + 1, core::kGoodputParts.end());
  std::stable_sort(parts.begin(), parts.end(),
                   [&](const auto& a, const auto& b) { return goodput.*a.time > goodput.*b.time; });
  const char* separator = "; ";
  for (const auto& part : parts) {
    if (goodput.*part.time * 1000 < goodput.total || (goodput.*part.time).count() == 0) break;
    text += fmt::format("{}{} {}", separator, short_duration(goodput.*part.time), part.what);
    separator = ", ";
  }
  return text;
}

}  // namespace ddp
