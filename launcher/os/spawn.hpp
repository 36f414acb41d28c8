// Room: launcher/os. System calls, translated into values. It decides nothing.
// Includes: common, common/faults, launcher/core, launcher/core/group, launcher/core/hangs.
// Included by: launcher, launcher/campaign, launcher/cli, launcher/control, launcher/ddpctl,
// launcher/events, launcher/faults, launcher/hangs, launcher/keeper, launcher/metrics,
// launcher/output, launcher/placement, launcher/preflight, launcher/preload, launcher/rendezvous,
// launcher/report, launcher/status, launcher/supervisor, launcher/workers.
//
// Starts worker processes.
//
// A child gets a new session, SIGKILL when its parent dies, default signal actions (SIGHUP stays
// ignored if it was ignored when the launcher started: nohup), an empty signal mask, and
// descriptors 0-2 only.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/fd.hpp"

#include <array>
#include <string>
#include <variant>
#include <vector>

namespace ddp::os {

struct SpawnRequest {
  std::string program;                   // a path, or a name that is looked up in PATH
  std::vector<std::string> arguments;    // without the program itself
  std::vector<std::string> environment;  // "NAME=value"
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Lets debuggers that the launcher starts trace the child where the Yama module allows only
  // ancestors (ptrace_scope 1).
  bool traceable = false;
  int cgroup_fd = -1;  // the cgroup to start in, if it allows that; -1: the launcher's
  // The CPUs that the child may run on, and the NUMA nodes that its memory comes from while they
  // have any left (MPOL_PREFERRED_MANY). Empty: the launcher's.
  std::vector<int> cpus;
  std::vector<int> memory_nodes;
};

struct Child {
  int pid = -1;
  ScopedFd pidfd;
};

class Spawner {
 public:
  // Make it before many descriptors are open: a child gets a table that ends after the three of
  // this object, not a copy of every descriptor, which its exec would close one by one.
  Spawner();

  // Returns once the child's exec has succeeded or failed. After a failure no process is left.
  std::variant<Child, core::SpawnError> spawn(const SpawnRequest& request);

 private:
  int hand_over(const SpawnRequest& request) const;
  void take_back();

  // Standard input, output and error of the next child; /dev/null at all other times. All three or
  // none: without them a child gets a copy of the whole table.
  ScopedFd null_;
  std::array<ScopedFd, 3> slots_;
};

}  // namespace ddp::os
