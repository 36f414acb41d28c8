// The processes of one generation: started, watched, signalled, and cleared away to the last
// descendant.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/cgroup.hpp"
#include "launcher/os/exit_watcher.hpp"
#include "launcher/os/spawn.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace ddp {

class WorkerSet {
 public:
  using Exited = std::function<void(core::LocalRank, core::ExitStatus)>;
  using Ended = std::function<void(std::vector<core::Survivor>)>;

  // `cgroup`, if there is one, is where the workers live.
  WorkerSet(boost::asio::io_context& io, int nproc, const os::Cgroup* cgroup, Exited exited);
  ~WorkerSet();

  // The pid of the started worker, or why there is none.
  std::variant<int, core::SpawnError> spawn(core::LocalRank local_rank, os::SpawnRequest request);

  // Of a worker that is not known to have ended; 0 otherwise.
  int living_pid(core::LocalRank local_rank) const;

  // To the worker's whole process group; nothing when it has ended.
  void signal(core::LocalRank local_rank, int signal);
  void signal_all(int signal);
  // To the worker's own process alone.
  void signal_process(core::LocalRank local_rank, int signal);

  // A command beside the workers (a debugger, say): contained and cleared away as they are. `ended`
  // comes from the event loop, once, unless the generation's end is the sooner. An error: it was
  // not started.
  std::optional<core::SpawnError> spawn_helper(os::SpawnRequest request,
                                               std::function<void(core::ExitStatus)> ended);
  // SIGKILL to the group of each.
  void kill_helpers();

  // A child changed state: reaps what is no worker. Call on every SIGCHLD.
  void child_changed();

  // Kills and reaps every descendant that is left; calls `ended` when none is, or at the deadline
  // with those that would not die. Workers that end meanwhile are told through `exited` first.
  void end(std::chrono::steady_clock::time_point deadline, Ended ended);

  // What is not gone yet.
  std::vector<core::Survivor> remaining() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ddp
