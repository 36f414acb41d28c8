// The shared memory that ranks leave in /dev/shm, over the life of a launch: looks at what
// processes use while they live, and after a failure reports and removes what nobody can use any
// more.
//
// A rank is looked at when it says READY=1, at a step now and then, and before ddp-launch kills it.
// One that something else kills before that is known by a pid in a file's name alone.
#pragma once

#include "launcher/core/group/verdict.hpp"
#include "launcher/core/processes/stop_scope.hpp"
#include "launcher/os/shared_memory.hpp"
#include "launcher/report/shared_memory_message.hpp"

#include <vector>

namespace ddp {

class SharedMemoryTracker {
 public:
  SharedMemoryTracker(int nproc, core::CleanSharedMemory policy)
      : policy_(policy), last_look_(static_cast<std::size_t>(nproc)) {}

  void generation_began();
  // READY=1 or a step of the rank, whose first process is `pid`.
  void notified(core::LocalRank local_rank, int pid, core::TimePoint now);
  // Before these are killed.
  void look(core::LocalRank local_rank, int pid) { watch_.look(pid, local_rank); }
  void look(const core::ProcessTable& processes);
  // Nothing of the generation is left. Removes what --clean-shm says, if the ranks failed or were
  // killed; a run that succeeded may have meant to leave it.
  std::vector<ReportedSegment> generation_ended(const core::Verdict& verdict, bool killed_any);

 private:
  core::CleanSharedMemory policy_;
  os::SharedMemoryWatch watch_;
  std::vector<std::optional<core::TimePoint>> last_look_;  // by local rank, at a step
};

}  // namespace ddp
