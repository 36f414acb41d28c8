#include "common/utf8.hpp"

#include <cstdint>

namespace ddp {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// 0xC2 followed by 0x80 … 0x9F is U+0080 … U+009F.
bool c1_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]) == 0xc2 && i + 1 < text.size() &&
         static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
         static_cast<unsigned char>(text[i + 1]) <= 0x9f;
}

}  // namespace

std::size_t utf8_character(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  std::uint32_t point = 0;
  std::uint32_t least = 0;  // the smallest code point this length may hold
  if ((lead & 0xe0) == 0xc0) {
    length = 2, point = lead & 0x1fU, least = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    length = 3, point = lead & 0x0fU, least = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    length = 4, point = lead & 0x07U, least = 0x10000;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    if (!is_continuation(text[k])) return 0;
    point = (point << 6) | (static_cast<unsigned char>(text[k]) & 0x3fU);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < least || point > 0x10ffff || surrogate ? 0 : length;
}

std::size_t utf8_length(std::string_view text) {
  std::size_t length = 0;
  while (const std::size_t one = utf8_character(text.substr(length))) length += one;
  return length;
}

std::string as_utf8(std::string_view text) {
  std::string clean;
  for (;;) {
    const std::size_t good = utf8_length(text);
    clean += text.substr(0, good);
    if (good == text.size()) return clean;
    clean += kReplacement;
    text.remove_prefix(good + 1);
  }
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_control(text[i]) || c1_at(text, i)) return true;
  }
  return false;
}

std::string without_controls(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (c1_at(text, i)) {
      clean += ' ';
      ++i;
    } else {
      clean += is_control(text[i]) ? ' ' : text[i];
    }
  }
  return clean;
}

std::string_view utf8_prefix(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && is_continuation(text[limit])) --limit;
  return text.substr(0, limit);
}

}  // namespace ddp
