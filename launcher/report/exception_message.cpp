#include "launcher/report/exception_message.hpp"

#include "common/duration_text.hpp"
#include "common/utf8.hpp"
#include "launcher/report/plain_text.hpp"
#include "launcher/report/recorded_traceback.hpp"
#include "launcher/report/traceback.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

namespace ddp {

namespace {

// As a recorded traceback has it.
std::string comparable(const std::string& line) {
  const std::string plain = plain_text(line);
  std::string text(utf8_prefix(without_rank(plain), kExceptionBytes));
  text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace

std::vector<std::string> failure_lines(const core::RankException& exception,
                                       const std::vector<std::string>& tail) {
  if (!exception.recorded || exception.traceback.empty()) return tail;
  const std::string_view shown = utf8_prefix(exception.text, 100);  // a long one is cut
  const auto repeats = [&](const std::string& line) {
    return plain_text(line).find(shown) != std::string::npos;
  };
  const auto& known = exception.traceback;
  const auto last = std::find_if(tail.rbegin(), tail.rend(), repeats);
  // Below the exception there may be the rest of its message, or what another library printed.
  std::vector<std::string> more(last == tail.rend() ? tail.begin() : last.base(), tail.end());
  std::erase_if(more, [&](const std::string& line) {
    const std::string text = comparable(line);
    return is_group_frame(text) ||
           (!text.empty() && std::find(known.begin(), known.end(), text) != known.end());
  });
  while (!more.empty() && comparable(more.back()).empty()) more.pop_back();
  auto lines = known;
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

std::string earlier_text(const core::EarlierException& earlier, core::GlobalRank first_rank) {
  return fmt::format("rank {} recorded an exception {} earlier: {}",
                     to_string(global_rank(first_rank, earlier.local_rank)),
                     duration_text(earlier.by), earlier.text);
}

}  // namespace ddp
