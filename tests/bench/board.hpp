// The board: a file that every process of a measurement maps, one slot for each rank of each
// generation, in which a worker notes moments of the monotonic clock with a store to memory, not a
// system call. tests/bench/board.py reads it.
#pragma once

#include <cstdint>

namespace ddp::bench {

inline constexpr int kGenerations = 2;  // the first, and the one after a failure

// Nanoseconds of CLOCK_MONOTONIC; 0: has not happened.
struct Slot {
  std::int64_t pid = 0;
  std::int64_t started = 0;       // first statement of main
  std::int64_t death = 0;         // last statement of the rank that dies
  std::int64_t first_signal = 0;  // SIGTERM or the like received
  std::int64_t signal = 0;        // which
  std::int64_t unused[3] = {};
};
static_assert(sizeof(Slot) == 64);

}  // namespace ddp::bench
