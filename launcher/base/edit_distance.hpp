// How far two words are apart, for "did you mean".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ddp {

// The number of insertions, deletions, substitutions and swaps of neighbours between two words
// (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The largest distance at which one word may still be a typo of another of this length.
inline std::size_t farthest_typo(std::string_view word) { return word.size() / 4 + 1; }

// " (did you mean …?)", or nothing where there is no guess.
std::string did_you_mean(const std::string& guess);

}  // namespace ddp
