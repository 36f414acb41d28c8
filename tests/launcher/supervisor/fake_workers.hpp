// Workers without processes: records what is asked of them, and does at the loop's next turn what
// processes would do.
#pragma once

#include "launcher/core/event.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/workers/workers.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ddp::test {

class FakeWorkers final : public Workers {
 public:
  explicit FakeWorkers(os::Loop& loop) : loop_(loop) {}

  // --- what the test sets

  std::function<void(const core::WorkerExited&)> exited;
  std::map<core::LocalRank, core::SpawnError> refused;  // starts that the system refuses
  std::set<core::LocalRank> deaf;                       // ranks that ignore the stop signal
  std::set<core::LocalRank> unkillable;                 // and SIGKILL
  std::vector<core::Leftover> running;                  // what the ranks left running
  core::Nanoseconds suspended{};                        // how long a Ctrl-Z lasts
  std::function<void()> stopping;                       // called when a stop signal is sent

  // --- what it sees: "start 0", "stop 0 15", "signal 0 18", "kill 0", "end"

  std::vector<std::string> calls;
  std::map<core::LocalRank, os::SpawnRequest> requests;  // the last start of each rank

  int count(const std::string& call) const {
    return static_cast<int>(std::count(calls.begin(), calls.end(), call));
  }

  // --- what workers do

  void exit(core::LocalRank rank, core::ExitStatus status, bool oom_killed = false) {
    REQUIRE(living_pid(rank) > 0);
    alive_.erase(rank);  // closes its output
    exited({rank, status, oom_killed});
  }
  void write(core::LocalRank rank, const std::string& text) {
    REQUIRE(::write(alive_.at(rank).err.get(), text.data(), text.size()) ==
            static_cast<ssize_t>(text.size()));
  }
  // What the ranks left running exits by itself.
  void descendants_exit() {
    running.clear();
    if (gone_) loop_.post(std::exchange(gone_, nullptr));
  }

  // --- Workers

  void begin() override { calls.emplace_back("begin"); }

  std::variant<int, core::SpawnError> spawn(core::LocalRank rank,
                                            os::SpawnRequest request) override {
    calls.push_back("start " + std::to_string(rank));
    if (const auto found = refused.find(rank); found != refused.end()) return found->second;
    const int pid = ++last_pid_;
    alive_[rank] = {pid, os::ScopedFd(::fcntl(request.stdout_fd, F_DUPFD_CLOEXEC, 0)),
                    os::ScopedFd(::fcntl(request.stderr_fd, F_DUPFD_CLOEXEC, 0))};
    requests[rank] = std::move(request);
    return pid;
  }
  int living_pid(core::LocalRank rank) const override {
    const auto found = alive_.find(rank);
    return found == alive_.end() ? 0 : found->second.pid;
  }

  void signal(core::LocalRank rank, int signal) override { call("signal", rank, signal); }
  void signal_process(core::LocalRank rank, int signal) override {
    call("kill", rank, signal);
    if (signal == SIGKILL && !unkillable.contains(rank)) die(rank, SIGKILL);
  }
  void stop(core::LocalRank rank, int signal) override {
    call("stop", rank, signal);
    if (stopping) stopping();
    if (!deaf.contains(rank)) die(rank, signal);
  }
  void stop_began(int signal) override { calls.push_back("stop began " + std::to_string(signal)); }
  void stop_rest(int signal) override { calls.push_back("stop rest " + std::to_string(signal)); }
  void forward(int signal, std::span<const core::LocalRank> ranks) override {
    std::string call = "forward " + std::to_string(signal);
    for (const auto rank : ranks) call += " " + std::to_string(rank);
    calls.push_back(std::move(call));
  }
  core::Nanoseconds suspend(const std::function<bool(core::LocalRank)>& keeps_stopped) override {
    for (const auto& [rank, worker] : alive_) {
      if (!keeps_stopped(rank)) calls.push_back("continue " + std::to_string(rank));
    }
    return suspended;
  }

  std::optional<core::SpawnError> spawn_helper(
      os::SpawnRequest request, std::function<void(core::ExitStatus)> ended) override {
    calls.push_back("helper " + request.program);
    loop_.post([ended = std::move(ended)] { ended(core::Exited{0}); });
    return std::nullopt;
  }
  void kill_helpers() override { calls.emplace_back("kill helpers"); }
  void child_changed() override {}

  void await_descendants(std::function<void()> gone) override {
    calls.emplace_back("await");
    gone_ = std::move(gone);
    if (running.empty()) descendants_exit();
  }
  std::vector<core::Leftover> left_running() const override { return running; }

  void end(core::TimePoint, bool, Ended ended) override {
    calls.emplace_back("end");
    gone_ = nullptr;
    loop_.post([this, ended = std::move(ended)] {
      std::vector<core::Survivor> survivors;
      const auto left = std::exchange(alive_, {});
      for (const auto& [rank, worker] : left) {
        if (unkillable.contains(rank)) {
          survivors.push_back({.pid = worker.pid, .local_rank = rank, .state = 'D'});
        } else {
          exited({rank, core::Signaled{SIGKILL}, false});
        }
      }
      ended(std::move(survivors), std::exchange(running, {}));
    });
  }
  std::vector<core::Survivor> remaining() const override {
    std::vector<core::Survivor> all;
    for (const auto& [rank, worker] : alive_)
      all.push_back({.pid = worker.pid, .local_rank = rank, .state = 'D'});
    return all;
  }

 private:
  struct Worker {
    int pid = 0;
    os::ScopedFd out;
    os::ScopedFd err;
  };

  void call(const std::string& what, core::LocalRank rank, int signal) {
    REQUIRE(living_pid(rank) > 0);  // nothing is sent to a pid that may be another process's
    calls.push_back(what + " " + std::to_string(rank) + " " + std::to_string(signal));
  }
  void die(core::LocalRank rank, int signal) {
    loop_.post([this, rank, signal, pid = living_pid(rank)] {
      if (pid > 0 && living_pid(rank) == pid) exit(rank, core::Signaled{signal});
    });
  }

  os::Loop& loop_;
  int last_pid_ = 1 << 23;  // above the highest pid that Linux gives: none of a real process
  std::map<core::LocalRank, Worker> alive_;
  std::function<void()> gone_;
};

}  // namespace ddp::test
