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

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = 1;
    std::uint32_t point = lead;
    std::uint32_t least = 0;  // the smallest code point this length may hold
    if (lead >= 0x80) {
      if ((lead & 0xe0) == 0xc0) {
        length = 2, point = lead & 0x1fU, least = 0x80;
      } else if ((lead & 0xf0) == 0xe0) {
        length = 3, point = lead & 0x0fU, least = 0x800;
      } else if ((lead & 0xf8) == 0xf0) {
        length = 4, point = lead & 0x07U, least = 0x10000;
      } else {
        return false;
      }
    }
    if (text.size() - i < length) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if (!is_continuation(text[i + k])) return false;
      point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < least || point > 0x10ffff || surrogate) return false;
    i += length;
  }
  return true;
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
