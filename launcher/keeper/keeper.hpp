// Room: launcher/keeper. The process that the user sees: forwards signals, outlives the supervisor,
// cleans up after it.
// Includes: common, launcher/core, launcher/core/group, launcher/os. Included by: launcher,
// launcher/campaign, launcher/supervisor.
//
// The keeper: the process that the user sees. It forks the supervisor, passes signals on, and
// cleans up after it.
//
// - It sends each signal to the supervisor as one byte over a pipe. When the pipe closes, the
// supervisor
//   knows that the keeper is gone.
// - Ctrl-Z: the supervisor suspends the workers and itself; then the keeper stops itself, so that
// the
//   shell sees the job stop. When the keeper continues, it continues the supervisor.
// - It watches its own parent: when that exits, the group is stopped as after SIGHUP, unless the
// launcher
//   is meant to outlive its parent (nohup, or a new session as from setsid).
// - It kills a supervisor that leaves a stop request unread
// (launcher/core/group/responsiveness.hpp).
// - When the supervisor has exited, for whatever reason, it kills and reaps every process below
// itself
//   and removes the run directory. If the supervisor was killed, the exit code is 70.
#pragma once

#include "launcher/os/cgroup.hpp"
#include "launcher/os/fd.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace ddp::os {

// What a launch owns outside its processes. The keeper removes it at the end.
struct LaunchResources {
  std::string run_dir;           // os::make_run_dir
  std::optional<Cgroup> cgroup;  // of the workers, if there is one
  // After the supervisor was killed: how long its children have to exit before they are killed.
  // They may be launches, which clean up after themselves.
  std::chrono::milliseconds patience{0};
};

// How a launch ended.
struct LaunchEnd {
  int exit_code = 0;
  bool supervisor_died = false;  // it was killed and reported nothing
};

// Runs `supervise` in a forked child, where this does not return, and returns in the keeper once
// the launch has ended. `supervise` gets the read end of the keeper's signal pipe and a separate
// signalfd. If the system refuses Asio descriptors or memory, the child exits with 71. Call after
// take_over_signals(), before any thread exists.
LaunchEnd keep(const LaunchResources& resources,
               const std::function<int(ScopedFd from_keeper, ScopedFd signals)>& supervise);

}  // namespace ddp::os
