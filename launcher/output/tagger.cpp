#include "launcher/output/tagger.hpp"

#include "launcher/output/line_splitter.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace ddp::out {

std::string rank_prefix(int rank, int world_size, bool colour) {
  static constexpr std::array<const char*, 6> kColours = {"36", "33", "32", "35", "34", "31"};
  const std::string number = std::to_string(rank);
  const std::size_t width = std::to_string(std::max(world_size - 1, 0)).size();
  std::string tag = "[";
  tag.append(width > number.size() ? width - number.size() : 0, ' ');
  tag += number + "]";
  if (!colour) return tag + " ";
  const char* code = kColours[static_cast<std::size_t>(std::max(rank, 0)) % kColours.size()];
  return std::string("\x1b[") + code + "m" + tag + "\x1b[0m ";
}

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
