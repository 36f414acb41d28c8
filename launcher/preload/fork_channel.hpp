// One start of a rank by the preloader: the request, the rank's answer, and the permission to run.
//
//   supervisor  one packet to the preloader: flags, and by SCM_RIGHTS the rank's end of a new
//   socket
//               pair (the channel), a memory file with command and environment, the rank's three
//               descriptors, and cgroup.procs of its cgroup
//   preloader   forks a process that forks the rank and exits; reaps it; closes its copies
//   rank        finds the supervisor to be its parent, takes its session, its parent-death signal,
//               its descriptors and its cgroup, and sends {0, pid}, or {1 + stage, errno}
//   supervisor  opens a pidfd, checks that the pid is its child, and sends one byte
//   rank        runs the program. If the channel closes first, it exits and runs nothing
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/spawn.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <variant>

namespace ddp {

// The preloader did not do it, and why; it cannot be trusted any more.
struct ForkLost {
  std::string why;
};

// `target` is the place of the script or module in program + arguments. Blocks, at most `limit`.
std::variant<os::Child, core::SpawnError, ForkLost> fork_through(int control,
                                                                 const os::SpawnRequest& request,
                                                                 std::size_t target, bool module,
                                                                 std::chrono::milliseconds limit);

}  // namespace ddp
