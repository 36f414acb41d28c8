// The keeper: the process the user sees. It forks the supervisor, passes signals on, and cleans up
// after it.
//
//   - Each signal it reads goes to the supervisor as one byte over a pipe. The pipe's end tells the
//   supervisor that the
//     keeper is gone.
//   - Ctrl-Z: the supervisor stops the workers and itself; then the keeper stops itself, so that
//   the shell sees the job
//     stop. When continued, it continues the supervisor.
//   - It watches its own parent: a launcher whose parent died stops its group as after SIGHUP,
//   unless it was told to
//     outlive it (nohup, or a session of its own as setsid makes).
//   - A supervisor that leaves a stop request unread is killed
//   (launcher/core/group/responsiveness.hpp).
//   - When the supervisor has ended, for whatever reason, every process below is killed and reaped
//   and the run
//     directory removed. A supervisor that was killed makes exit code 70.
#pragma once

#include "launcher/os/cgroup.hpp"
#include "launcher/os/fd.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace ddp::os {

// What a launch has outside its processes; the keeper removes it at the end.
struct Place {
  std::string run_dir;           // os::make_run_dir
  std::optional<Cgroup> cgroup;  // where the workers live, if there is one
  // After a supervisor that was killed: how long its children, which may be launches that clean up
  // after themselves, are given to end before they are killed.
  std::chrono::milliseconds patience{0};
};

// What the keeper saw of a launch.
struct Kept {
  int exit_code = 0;
  bool supervisor_died = false;  // killed: it has said nothing at its end
};

// Runs `supervise` in a forked child and returns, in the keeper, the end of the launch; in
// the child it does not return. `supervise` gets the read end of the keeper's signal pipe and a
// signalfd of its own; descriptors or memory that Asio is refused end it with 71. Call before any
// thread exists, after take_over_signals().
Kept keep(const Place& place,
          const std::function<int(ScopedFd from_keeper, ScopedFd signals)>& supervise);

}  // namespace ddp::os
