// How often a time was how long, as Prometheus counts it.
#pragma once

#include "launcher/core/types.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ddp::metrics {

struct Bucket {
  double most;            // seconds: a time of exactly this long is counted here
  std::string_view text;  // the same, as a label
};
// Steps take from a millisecond to minutes, and so do detections and recoveries.
inline constexpr std::array kBuckets{
    Bucket{0.001, "0.001"}, Bucket{0.005, "0.005"}, Bucket{0.01, "0.01"}, Bucket{0.025, "0.025"},
    Bucket{0.05, "0.05"},   Bucket{0.1, "0.1"},     Bucket{0.25, "0.25"}, Bucket{0.5, "0.5"},
    Bucket{1, "1"},         Bucket{2.5, "2.5"},     Bucket{5, "5"},       Bucket{10, "10"},
    Bucket{30, "30"},       Bucket{60, "60"},       Bucket{300, "300"},
};

struct Histogram {
  std::array<std::uint64_t, kBuckets.size()> in{};  // each bucket alone, not those below
  std::uint64_t count = 0;                          // with the times that no bucket holds
  double sum = 0;                                   // seconds

  void add(core::Nanoseconds time, std::uint64_t times = 1) {
    const double seconds = std::chrono::duration<double>(time).count();
    const auto bucket = std::find_if(kBuckets.begin(), kBuckets.end(),
                                     [seconds](const Bucket& one) { return seconds <= one.most; });
    if (bucket != kBuckets.end()) in[static_cast<std::size_t>(bucket - kBuckets.begin())] += times;
    count += times;
    sum += seconds * static_cast<double>(times);
  }
};

}  // namespace ddp::metrics
