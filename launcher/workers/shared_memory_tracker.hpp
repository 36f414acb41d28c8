// The shared memory that ranks leave in /dev/shm, over the life of a launch: records what processes
// use while they live, and after a failure removes what no process can use any more.
//
// A rank is examined when it reports READY=1, at a step now and then, and before ddp-launch kills
// it. One that something else kills before that is known by a pid in a file's name alone.
#pragma once

#include "launcher/core/group/stop_scope.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/os/shared_memory.hpp"

#include <optional>
#include <vector>

namespace ddp {

class SharedMemoryTracker final : public core::Observer {
 public:
  SharedMemoryTracker(int nproc, core::CleanSharedMemory policy, core::Publish publish)
      : policy_(policy), publish_(std::move(publish)), ranks_(static_cast<std::size_t>(nproc)) {}

  void on(const core::Event& event, core::TimePoint now) override {
    core::dispatch(*this, event, now);
  }
  void on(const core::Action& action, core::TimePoint now) override {
    core::dispatch(*this, action, now);
  }
  // Before these are killed.
  void look(const core::ProcessTable& processes);

  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStarted& started, core::TimePoint now);
  void apply(const core::WorkerReady& ready, core::TimePoint now);
  void apply(const core::WorkerStep& event, core::TimePoint now);
  void apply(const core::WorkerExited& exited, core::TimePoint now);
  void apply(const core::TeardownBegan& teardown, core::TimePoint now);
  // Nothing of the attempt is left. Removes what --clean-shm says, if the ranks failed or were
  // killed; a run that succeeded may have meant to leave it.
  void apply(const core::ProcessesGone& gone, core::TimePoint now);

 private:
  struct Rank {
    int pid = 0;  // in this attempt
    bool alive = false;
    std::optional<core::TimePoint> examined;  // at a step
  };
  void examine(core::LocalRank local_rank, core::TimePoint now);

  const core::CleanSharedMemory policy_;
  core::Publish publish_;
  os::SharedMemoryWatch watch_;
  std::vector<Rank> ranks_;
  bool failed_ = false;  // the attempt, or a rank of it was killed
};

}  // namespace ddp
