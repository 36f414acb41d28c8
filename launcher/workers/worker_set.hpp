// The processes of one generation: started, watched, signalled, and cleared away to the last
// descendant.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/cgroup.hpp"
#include "launcher/os/exit_watcher.hpp"
#include "launcher/os/spawn.hpp"
#include "launcher/workers/rank_tree.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ddp {

class WorkerSet {
 public:
  using Exited = std::function<void(core::LocalRank, core::ExitStatus)>;
  // What would not die, and what of the ranks' had to be killed beside their first processes.
  using Ended = std::function<void(std::vector<core::Survivor> survivors,
                                   std::vector<core::Leftover> killed)>;

  struct Config {
    int nproc = 1;
    const os::Cgroup* cgroup = nullptr;  // where the workers live, if there is one
    std::string notify_prefix;           // NOTIFY_SOCKET of local rank r is "<notify_prefix>r"
    StopScope stop_scope = StopScope::rank;
    // Called with what is left of a generation before it is killed.
    std::function<void(const core::ProcessTable&)> before_kill = nullptr;
  };
  WorkerSet(boost::asio::io_context& io, Config config, Exited exited);
  ~WorkerSet();

  // The pid of the started worker, or why there is none.
  std::variant<int, core::SpawnError> spawn(core::LocalRank local_rank, os::SpawnRequest request);

  // Of a worker that is not known to have ended; 0 otherwise.
  int living_pid(core::LocalRank local_rank) const;

  // To the worker's whole process group; nothing when it has ended.
  void signal(core::LocalRank local_rank, int signal);
  void signal_all(int signal);
  // Asks a rank to stop: its first process.
  void stop(core::LocalRank local_rank, int signal);
  // The ranks that live have been asked. What launcher/core/processes/stop_scope.hpp adds to that
  // gets the signal from the event loop, again whenever a process has ended.
  void stop_began(int signal);
  // A part of the period is over: to every process that had none.
  void stop_rest(int signal);
  // A signal of the launcher's, in the same scope.
  void forward(int signal);
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

  // Calls `gone` once, from the event loop, when nothing of the generation is left; not after
  // end().
  void await_descendants(std::function<void()> gone);
  // What the ranks have running beside their first processes.
  std::vector<core::Leftover> left_running() const;

  // Kills and reaps every descendant that is left; calls `ended` when none is, or at the deadline
  // with those that would not die. Workers that end meanwhile are reported through `exited` first.
  // Unless `at_once`, what reads a pipe gets a second to read what the killed have written.
  void end(std::chrono::steady_clock::time_point deadline, bool at_once, Ended ended);

  // What is not gone yet.
  std::vector<core::Survivor> remaining() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ddp
