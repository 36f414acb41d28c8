// The processes of one attempt, for real: children of this process, watched by their pidfds.
#pragma once

#include "launcher/core/event.hpp"
#include "launcher/os/cgroup.hpp"
#include "launcher/os/exit_watcher.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/os/spawn.hpp"
#include "launcher/workers/forker.hpp"
#include "launcher/workers/rank_tree.hpp"
#include "launcher/workers/sweep.hpp"
#include "launcher/workers/worker_cgroup.hpp"
#include "launcher/workers/workers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp {

class WorkerSet final : public Workers {
 public:
  using Exited = std::function<void(const core::WorkerExited&)>;

  struct Config {
    int nproc = 1;
    const os::Cgroup* cgroup = nullptr;  // where the workers live, if there is one
    std::string notify_prefix;           // NOTIFY_SOCKET of local rank r is "<notify_prefix>r"
    StopScope stop_scope = StopScope::rank;
    // Called with processes before they are sent SIGKILL.
    Sweep::BeforeKill before_kill = nullptr;
    Forker* forker = nullptr;  // starts workers where it can; borrowed
  };
  // `io` and `loop`, which runs on it, are borrowed.
  WorkerSet(boost::asio::io_context& io, os::Loop& loop, Config config, Exited exited);

  void begin() override;
  std::variant<int, core::SpawnError> spawn(core::LocalRank local_rank,
                                            os::SpawnRequest request) override;
  int living_pid(core::LocalRank local_rank) const override;
  void signal(core::LocalRank local_rank, int signal) override;
  void signal_process(core::LocalRank local_rank, int signal) override;
  void stop(core::LocalRank local_rank, int signal) override;
  void stop_began(int signal) override;
  void stop_rest(int signal) override { tree_.stop_rest(signal); }
  void forward(int signal, std::span<const core::LocalRank> ranks) override {
    tree_.forward(signal, ranks);
  }
  core::Nanoseconds suspend(const std::function<bool(core::LocalRank)>& keeps_stopped) override;
  std::optional<core::SpawnError> spawn_helper(
      os::SpawnRequest request, std::function<void(core::ExitStatus)> ended) override;
  void kill_helpers() override;
  void child_changed() override;
  void await_descendants(std::function<void()> gone) override;
  std::vector<core::Leftover> left_running() const override;
  void end(core::TimePoint deadline, bool at_once, Ended ended) override;
  std::vector<core::Survivor> remaining() const override;

 private:
  void exited(core::LocalRank local_rank, core::ExitStatus status);
  void go_on_soon();
  void look_again();
  void finish(std::vector<core::Survivor> survivors);
  os::RankKeys keys() const;
  bool all_reaped() const;
  core::LocalRank rank_of(int pid) const;
  bool is_helper(int pid) const;

  boost::asio::io_context& io_;
  os::Loop& loop_;
  os::Spawner spawner_;
  WorkerCgroup cgroup_;
  std::string notify_prefix_;
  Sweep::BeforeKill before_kill_;
  Forker* forker_;
  Exited exited_;
  std::vector<std::unique_ptr<os::ExitWatcher>> workers_;
  std::vector<std::unique_ptr<os::ExitWatcher>> helpers_;
  RankTree tree_;
  Sweep sweep_;
  std::unique_ptr<os::Timer> end_timer_;
  std::unique_ptr<os::Timer> soon_timer_;
  std::unique_ptr<os::Timer> look_timer_;
  bool look_is_near_ = false;
  bool look_due_ = false;
  std::function<void()> gone_;
  Ended ended_;
  std::optional<std::uint64_t> oom_kills_before_;  // when the attempt began
};

}  // namespace ddp
