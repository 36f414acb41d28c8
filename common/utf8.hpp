// Text that came from elsewhere and is going to a terminal or a file of ours.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ddp {

// Well-formed UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.

// The bytes of the character at the head; 0: there is none that is well-formed.
std::size_t utf8_character(std::string_view text);
// How many bytes are well-formed before the first that is not.
std::size_t utf8_length(std::string_view text);
inline bool is_utf8(std::string_view text) { return utf8_length(text) == text.size(); }

// U+FFFD, for a byte that is not.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
// Each such byte replaced.
std::string as_utf8(std::string_view text);

// A byte that may steer a terminal: C0 and DEL. (C1 controls arrive as well-formed two-byte
// sequences 0xC2 0x80 … 0xC2 0x9F: see has_control.)
inline bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// Any C0, DEL or C1 control character in well-formed UTF-8.
bool has_control(std::string_view text);

// Each control character as one blank.
std::string without_controls(std::string_view text);

// The longest prefix of at most `limit` bytes that does not cut a character in two.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

}  // namespace ddp
