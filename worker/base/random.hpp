// Counter-based random numbers: a function of key and counter. Any rank can compute any element,
// and a checkpoint needs no state.
#pragma once

#include <cstdint>

namespace ddp::worker {

// SplitMix64's finalizer (Steele, Lea, Flood 2014).
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t mix(std::uint64_t key, std::uint64_t counter) {
  return mix(mix(key) ^ counter);
}

// A number in [0, 1) with 53 random bits.
constexpr double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

}  // namespace ddp::worker
