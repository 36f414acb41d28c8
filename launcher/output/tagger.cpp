#include "launcher/output/tagger.hpp"

#include "launcher/output/line_splitter.hpp"

#include <algorithm>
#include <cstring>

namespace ddp::out {

void append_lines(OutBuffer& to, std::string_view prefix, std::string_view lines) {
  if (prefix.empty()) return to.append(lines);
  const auto count = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  const std::size_t total = lines.size() + count * prefix.size();
  char* at = to.grow(total);
  const char* from = lines.data();
  const char* const end = from + lines.size();
  while (from < end) {
    const auto left = static_cast<std::size_t>(end - from);
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', left));
    const std::size_t length = static_cast<std::size_t>(newline - from) + 1;
    std::memcpy(at, prefix.data(), prefix.size());
    std::memcpy(at + prefix.size(), from, length);
    at += prefix.size() + length;
    from += length;
  }
  to.commit(total);
}

void append_visible_lines(OutBuffer& to, std::string_view prefix, std::string_view lines) {
  if (lines.find('\r') == std::string_view::npos) return append_lines(to, prefix, lines);
  while (!lines.empty()) {
    const std::size_t newline = lines.find('\n');
    to.append(prefix);
    to.append(visible_segment(lines.substr(0, newline)));
    to.append("\n");
    lines.remove_prefix(newline + 1);
  }
}

}  // namespace ddp::out
