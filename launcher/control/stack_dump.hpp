// The stacks of ranks that run on: py-spy or gdb attaches to each, as when a group hangs, and
// leaves again. As many at a time as there are CPUs. Nothing is ended but a debugger that takes too
// long.
#pragma once

#include "launcher/core/ranks.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/workers/workers.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ddp::control {

inline constexpr std::chrono::seconds kStackTime{10};
// Of what a debugger writes about one rank; the rest is dropped.
inline constexpr std::size_t kStackBytes = std::size_t{256} * 1024;

struct RankStack {
  core::LocalRank local_rank = 0;
  int pid = 0;
  std::string text;
  std::string problem;  // why there is no text, or not all; empty: none
};

class StackDump {
 public:
  using Done = std::function<void(std::vector<RankStack>)>;
  // `loop` and `workers` are borrowed. Ranks without a process get none. `done` is called once from
  // the event loop, after kStackTime at the latest.
  StackDump(os::Loop& loop, Workers& workers, const std::vector<core::LocalRank>& ranks, Done done);
  ~StackDump();  // ends it: `done` is not called any more

  // Answers with what is there, and ends the debuggers.
  void cut_short(const std::string& why);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ddp::control
