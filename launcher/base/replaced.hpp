// A text with one part replaced wherever it occurs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ddp {

inline std::string replaced(std::string text, std::string_view part, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += by.size())
    text.replace(at, part.size(), by);
  return text;
}

}  // namespace ddp
