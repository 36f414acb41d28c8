// Lists as text.
#pragma once

#include <string>
#include <string_view>

namespace ddp {

// Appends `item` to the list in `text`, behind the separator unless it is the first.
inline void append_item(std::string& text, std::string_view item,
                        std::string_view separator = ", ") {
  if (!text.empty()) text += separator;
  text += item;
}

// "torch,numpy".
template <class Words>
std::string joined(const Words& words, std::string_view separator = ",") {
  std::string text;
  for (const auto& word : words) append_item(text, word, separator);
  return text;
}

}  // namespace ddp
