// Carries out what the fault engine asks for: the system calls that inject faults and undo them,
// and the duty cycle of `slow`. Decides and reports nothing.
#pragma once

#include "launcher/core/fault_action.hpp"
#include "launcher/os/fault_effects.hpp"
#include "launcher/output/router.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

class Workers;

// What is different about a worker's start.
struct SpawnChange {
  std::optional<core::SpawnError> refusal;  // instead of starting it
  core::Nanoseconds delay{};                // before it is started or refused
  bool hide_devices = false;
  std::optional<std::string> worker_faults;  // DDP_FAULTS; none: no plan
};

class FaultInjector {
 public:
  // Made in the supervisor, whose parent is the keeper.
  FaultInjector(const core::RankGroup& ranks, out::Router& router, Workers& workers);

  void generation_began(std::uint16_t port) { port_ = port; }
  void started(core::LocalRank local_rank, int pid) { pid_of(local_rank) = pid; }
  void exited(core::LocalRank local_rank);
  // True if a port was taken until now.
  bool generation_over();

  // Empty, or why it could not be done. `change` is that of the start being considered.
  std::string inject(const core::Injection& injection, SpawnChange& change);
  void undo(const core::UndoFault& undo);
  void throttle(const core::ThrottleTick& tick);

 private:
  std::string take_port();
  std::string kill_keeper();
  int& pid_of(core::LocalRank rank) { return pids_.at(static_cast<std::size_t>(rank)); }

  const core::RankGroup ranks_;
  out::Router& router_;
  Workers& workers_;
  os::FaultEffects effects_;
  std::vector<int> pids_;  // by local rank, of unreaped workers; 0: none
  std::uint16_t port_ = 0;
  os::ScopedFd occupied_;
  const pid_t keeper_;
};

}  // namespace ddp
