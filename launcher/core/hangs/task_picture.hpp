// What a process does, without its cooperation: two samples of all its threads a moment apart.
#pragma once

#include "launcher/core/hang.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ddp::core {

struct ThreadSample {
  int tid = 0;
  char state = '?';        // R running, S sleeping, D uninterruptible, T stopped, t traced, Z dead
  Nanoseconds cpu_time{};  // user and system, since it began
  std::string wait_channel;  // the kernel function it sleeps in; empty: it runs, or unknown
  std::string system_call;   // "futex(0x7f…, 0x80, …)"; empty: unknown
  std::string name;
};

// The main thread first; no thread: the process had exited.
struct ProcessSample {
  TimePoint at;
  std::vector<ThreadSample> threads;
};

ProcessPicture picture_of(const ProcessSample& before, const ProcessSample& after);

}  // namespace ddp::core
