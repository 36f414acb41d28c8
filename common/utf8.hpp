// Text from other programs on its way to the terminal or to a file of ddp-launch.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ddp {

// Well-formed means as in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.

// The length in bytes of the first character; 0 where it is not well-formed, or the text is empty.
std::size_t utf8_character(std::string_view text);
// How many bytes come before the first one that is not well-formed.
std::size_t utf8_length(std::string_view text);
inline bool is_utf8(std::string_view text) { return utf8_length(text) == text.size(); }

// U+FFFD, which stands for a byte that is not well-formed.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
// The text with each such byte replaced.
std::string as_utf8(std::string_view text);

// Whether a terminal may act on the byte: C0 and DEL. (C1 controls are the two-byte sequences 0xC2
// 0x80 … 0xC2 0x9F: see has_control.)
inline bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// Whether well-formed UTF-8 has a C0, DEL or C1 control character.
bool has_control(std::string_view text);

// The text with one blank for each control character.
std::string without_controls(std::string_view text);

// The longest prefix of at most `limit` bytes that does not split a character.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

}  // namespace ddp
