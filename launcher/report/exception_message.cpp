#include "launcher/report/exception_message.hpp"

#include "common/duration_text.hpp"
#include "common/utf8.hpp"
#include "launcher/report/plain_text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

namespace ddp {

std::vector<std::string> failure_lines(const core::RankException& exception,
                                       const std::vector<std::string>& tail) {
  if (!exception.recorded || exception.traceback.empty()) return tail;
  const std::string_view shown = utf8_prefix(exception.text, 100);  // a long one is cut
  const bool repeats = std::any_of(tail.begin(), tail.end(), [&](const std::string& one) {
    return plain_text(one).find(shown) != std::string::npos;
  });
  auto lines = exception.traceback;
  if (!repeats) lines.insert(lines.end(), tail.begin(), tail.end());
  return lines;
}

std::string earlier_text(const core::EarlierException& earlier, core::GlobalRank first_rank) {
  return fmt::format("rank {} recorded an exception {} earlier: {}",
                     to_string(global_rank(first_rank, earlier.local_rank)),
                     duration_text(earlier.by), earlier.text);
}

}  // namespace ddp
