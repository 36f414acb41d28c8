#include "launcher/report/plain_text.hpp"

#include "common/utf8.hpp"

namespace ddp {
namespace {

// The length of the escape sequence at the head of `text` (ESC [ parameters final); 0: there is
// none.
std::size_t escape_sequence(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  std::size_t end = 2;
  while (end < text.size() && text[end] >= 0x20 && text[end] < 0x40) ++end;
  return end < text.size() && text[end] >= 0x40 && text[end] < 0x7f ? end + 1 : end;
}

}  // namespace

std::string plain_text(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  while (!line.empty()) {
    if (const std::size_t length = escape_sequence(line)) {
      line.remove_prefix(length);
      continue;
    }
    text += line.front();
    line.remove_prefix(1);
  }
  return without_controls(as_utf8(text));
}

}  // namespace ddp
