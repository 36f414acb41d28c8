// "a,b,c" as its words; an empty text is one empty word, so that a stray comma is seen.
#pragma once

#include <string_view>
#include <vector>

namespace ddp {

inline std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t comma = text.find(',');
    words.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return words;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace ddp
