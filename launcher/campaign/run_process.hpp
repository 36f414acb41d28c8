// The process of one run of a campaign: a ddp-launch in its own session, which gets SIGKILL when
// its parent dies, with its output in a file and its events in the campaign's memory.
#pragma once

#include "launcher/campaign/options.hpp"
#include "launcher/core/types.hpp"
#include "launcher/os/exit_watcher.hpp"
#include "launcher/os/fd.hpp"

#include <functional>
#include <optional>
#include <string>

namespace boost::asio {
class io_context;
}

namespace ddp::campaign {

// What all runs of a campaign share.
struct RunnerConfig {
  std::string program;  // the ddp-launch to start
  std::string dir;      // absolute; each run gets <dir>/<stem>
  bool keep = false;    // keep the runs' directories
};

// The file of a run's stdout and stderr.
std::string output_path(const PlannedRun& run, const RunnerConfig& config);

class RunProcess {
 public:
  // The run reads nothing: `dev_null` is its stdin.
  RunProcess(boost::asio::io_context& io, const RunnerConfig& config, int dev_null)
      : io_(io), config_(config), dev_null_(dev_null) {}

  // Makes the run's directories and starts it; `ended` is called once it is reaped. Returns an
  // empty string, or one line that says what failed and why.
  std::string start(const PlannedRun& run, std::function<void(core::ExitStatus)> ended);

  // Sends `signal` to the run. Does nothing when no run is alive: a pid that was reaped may be
  // another process by now.
  void signal(int signal) const;

  // Waits until the run is stopped, for at most a second, because it may be exiting instead. A
  // SIGCONT sent before its own stop would be lost.
  void wait_stopped() const;

  // Forgets the run and returns the events that it wrote; empty where none was started.
  std::string take_events();

 private:
  boost::asio::io_context& io_;
  const RunnerConfig& config_;
  int dev_null_;
  std::optional<os::ExitWatcher> watcher_;
  os::ScopedFd events_;  // EventLog's second file
};

}  // namespace ddp::campaign
