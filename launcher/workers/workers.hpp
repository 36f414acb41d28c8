// Room: launcher/workers. The processes of an attempt: their environment, start, signals, exit, and
// what they leave.
// Includes: common, launcher/core, launcher/core/group, launcher/os, launcher/rendezvous,
// launcher/settings. Included by: launcher, launcher/cli, launcher/control, launcher/faults,
// launcher/hangs, launcher/placement, launcher/preflight, launcher/preload, launcher/report,
// launcher/supervisor.
//
// The processes of one attempt, as the rest of the launcher sees them: started, signalled, and
// cleared away to the last descendant. WorkerSet is the real one; tests have a fake without
// processes.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/spawn.hpp"

#include <functional>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace ddp {

class Workers {
 public:
  // What SIGKILL did not end, and what the ranks had left running and had to be killed.
  using Ended = std::function<void(std::vector<core::Survivor> survivors,
                                   std::vector<core::Leftover> killed)>;
  virtual ~Workers() = default;

  // An attempt begins, none of its workers is started.
  virtual void begin() = 0;
  // The pid of the started worker, or why there is none.
  virtual std::variant<int, core::SpawnError> spawn(core::LocalRank local_rank,
                                                    os::SpawnRequest request) = 0;
  // Of a worker that is not known to have exited; 0 otherwise.
  virtual int living_pid(core::LocalRank local_rank) const = 0;

  // To the worker's whole process group; nothing when it has exited.
  virtual void signal(core::LocalRank local_rank, int signal) = 0;
  // To the worker's first process alone.
  virtual void signal_process(core::LocalRank local_rank, int signal) = 0;
  // Sends a rank the stop signal: its first process.
  virtual void stop(core::LocalRank local_rank, int signal) = 0;
  // Every rank that lives was sent it. What launcher/core/group/stop_scope.hpp adds gets the
  // signal from the event loop, again whenever a process has exited.
  virtual void stop_began(int signal) = 0;
  // A part of the period is over: to every process that had none.
  virtual void stop_rest(int signal) = 0;
  // SIGUSR1 or SIGUSR2 of the launcher's, or what a user sends, in the same scope: to these ranks;
  // none: to all.
  virtual void forward(int signal, std::span<const core::LocalRank> ranks) = 0;
  // Ctrl-Z: stops the workers, then this process. Returns once `fg` has continued it, with the
  // time that passed; the ranks that a fault keeps stopped stay so.
  virtual core::Nanoseconds suspend(const std::function<bool(core::LocalRank)>& keeps_stopped) = 0;

  // A command next to the workers (a debugger, say): contained and cleared away as they are.
  // `ended` is called from the event loop, once, unless the attempt ends sooner. An error: it was
  // not started.
  virtual std::optional<core::SpawnError> spawn_helper(
      os::SpawnRequest request, std::function<void(core::ExitStatus)> ended) = 0;
  // SIGKILL to the process group of each.
  virtual void kill_helpers() = 0;

  // A child changed state: reaps what is no worker. Call on every SIGCHLD.
  virtual void child_changed() = 0;

  // Calls `gone` once, from the event loop, when no process of the attempt is left; not after
  // end().
  virtual void await_descendants(std::function<void()> gone) = 0;
  // The processes of the ranks other than their first ones.
  virtual std::vector<core::Leftover> left_running() const = 0;

  // Kills and reaps every descendant that is left; calls `ended` from the event loop when none is,
  // or at the deadline with those that are still alive. Workers that exit meanwhile are reported
  // first. Unless `at_once`, what reads a pipe gets a second to read what the killed have written.
  virtual void end(core::TimePoint deadline, bool at_once, Ended ended) = 0;
  // The processes that are still alive.
  virtual std::vector<core::Survivor> remaining() const = 0;
};

}  // namespace ddp
