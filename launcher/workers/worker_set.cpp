#include "launcher/workers/worker_set.hpp"

#include "launcher/os/descendants.hpp"
#include "launcher/os/proc.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/workers/worker_cgroup.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <optional>
#include <utility>

namespace ddp {
namespace {

// What reads a pipe has long since read it then, unless its own reader takes nothing.
constexpr auto kReadersTime = std::chrono::seconds(1);
constexpr auto kLookAfter = std::chrono::milliseconds(1);

}  // namespace

class WorkerSet::Impl {
 public:
  Impl(boost::asio::io_context& io, Config config, Exited exited)
      : io_(io),
        timer_(io),
        readers_timer_(io),
        soon_timer_(io),
        look_timer_(io),
        cgroup_(config.cgroup),
        notify_prefix_(std::move(config.notify_prefix)),
        before_kill_(std::move(config.before_kill)),
        tree_(config.stop_scope, [this] { return keys(); }),
        exited_(std::move(exited)),
        workers_(static_cast<std::size_t>(config.nproc)) {}

  std::variant<int, core::SpawnError> spawn(core::LocalRank rank, os::SpawnRequest request) {
    request.cgroup_fd = cgroup_.fd();
    auto spawned = spawner_.spawn(request);
    if (const auto* error = std::get_if<core::SpawnError>(&spawned)) return *error;
    auto& child = std::get<os::Child>(spawned);
    worker(rank) = std::make_unique<os::ExitWatcher>(io_, child.pid, std::move(child.pidfd),
                                                     [this, rank](core::ExitStatus status) {
                                                       exited_(rank, status);
                                                       child_changed();
                                                     });
    return child.pid;
  }

  std::optional<core::SpawnError> spawn_helper(os::SpawnRequest request,
                                               std::function<void(core::ExitStatus)> helper_ended) {
    request.cgroup_fd = cgroup_.fd();
    auto spawned = spawner_.spawn(request);
    if (const auto* error = std::get_if<core::SpawnError>(&spawned)) return *error;
    auto& child = std::get<os::Child>(spawned);
    std::erase_if(helpers_, [](const auto& helper) { return helper->reaped(); });
    helpers_.push_back(std::make_unique<os::ExitWatcher>(
        io_, child.pid, std::move(child.pidfd),
        [this, helper_ended = std::move(helper_ended)](core::ExitStatus status) {
          helper_ended(status);
          child_changed();
        }));
    return std::nullopt;
  }

  void kill_helpers() {
    for (const auto& helper : helpers_) {
      if (!helper->reaped()) os::signal_group(helper->pid(), SIGKILL);
    }
  }

  void signal_process(core::LocalRank rank, int signal) {
    if (const int pid = living_pid(rank); pid > 1) ::kill(pid, signal);
  }

  int living_pid(core::LocalRank rank) const {
    const auto& watcher = workers_.at(static_cast<std::size_t>(rank));
    return watcher && !watcher->reaped() ? watcher->pid() : 0;
  }

  void signal(core::LocalRank rank, int signal) {
    const auto& watcher = worker(rank);
    // Only while its leader is unreaped does the group's number belong to it.
    if (watcher && !watcher->reaped()) os::signal_group(watcher->pid(), signal);
  }

  void signal_all(int number) {
    for (std::size_t rank = 0; rank < workers_.size(); ++rank)
      signal(static_cast<core::LocalRank>(rank), number);
  }

  void stop(core::LocalRank rank, int signal) {
    if (const int pid = living_pid(rank); pid > 0) tree_.stop(pid, signal);
  }

  void stop_began(int signal) {
    tree_.stop_began(signal);
    go_on_soon();
  }

  void stop_rest(int signal) { tree_.stop_rest(signal); }
  void forward(int signal) { tree_.forward(signal); }

  void child_changed() {
    const bool any_left =
        os::reap_orphans([this](int pid) { return rank_of(pid) >= 0 || is_helper(pid); });
    if (ended_) return sweep(any_left);
    if (gone_ && !any_left && all_reaped()) return std::exchange(gone_, nullptr)();
    if (any_left) go_on_soon();
  }

  void await_descendants(std::function<void()> gone) {
    gone_ = std::move(gone);
    boost::asio::post(io_, [this] { child_changed(); });
  }

  std::vector<core::Leftover> left_running() const { return os::left_running(tree_.look()); }

  void end(std::chrono::steady_clock::time_point deadline, bool at_once, Ended ended) {
    gone_ = nullptr;
    soon_timer_.cancel();
    look_timer_.cancel();
    looked_ = false;
    readers_first_ = !at_once;
    ended_ = std::move(ended);
    timer_.expires_at(deadline);
    timer_.async_wait([this](boost::system::error_code ec) {
      if (!ec && ended_) finish(remaining());  // readers_timer_ is over by then
    });
    // Not from within the caller's own action.
    boost::asio::post(io_, [this] { child_changed(); });
  }

  std::vector<core::Survivor> remaining() const {
    auto remaining = os::living_children();
    // Not what has not been sent SIGKILL yet.
    std::erase_if(remaining, [this](const core::Survivor& one) { return is_reader(one.pid); });
    for (auto& one : remaining) one.local_rank = rank_of(one.pid);
    return remaining;
  }

 private:
  // One round. Killed processes tell us by SIGCHLD, and that is when the next round comes.
  void sweep(bool any_left) {
    if (!any_left) {
      if (all_reaped()) finish({});  // else dead, but its own watcher has not reported yet
      return;
    }
    if (!std::exchange(looked_, true)) look_before_the_kill();
    if (!readers_.empty() && spare_readers()) return;
    cgroup_.kill();
    os::kill_children();
  }

  void look_before_the_kill() {
    const auto table = tree_.look();
    killed_ = os::left_running(table);
    if (before_kill_) before_kill_(table);
    if (!readers_first_) return;
    for (const auto& process : table) {
      if (!process.first && process.reads_pipe != 0)
        readers_.emplace_back(process.pid, process.start_time);
    }
    if (readers_.empty()) return;
    readers_timer_.expires_after(kReadersTime);
    readers_timer_.async_wait([this](boost::system::error_code ec) {
      if (ec || !ended_) return;
      readers_.clear();
      child_changed();
    });
  }

  // Kills everything else. False when no reader is left.
  bool spare_readers() {
    bool any = false;
    for (const auto& process : tree_.look()) {
      if (std::find(readers_.begin(), readers_.end(), std::pair(process.pid, process.start_time)) !=
          readers_.end()) {
        any = true;
      } else {
        os::signal_process(process.pid, process.start_time, SIGKILL);
      }
    }
    if (!any) forget_readers();
    return any;
  }

  bool is_reader(int pid) const {
    return std::any_of(readers_.begin(), readers_.end(),
                       [pid](const auto& reader) { return reader.first == pid; });
  }

  // They have read to the end: nobody killed them.
  void forget_readers() {
    std::erase_if(killed_, [this](const core::Leftover& one) { return is_reader(one.pid); });
    readers_.clear();
  }

  void finish(std::vector<core::Survivor> survivors) {
    timer_.cancel();
    readers_timer_.cancel();
    for (auto& watcher : workers_) watcher.reset();
    helpers_.clear();
    tree_.generation_began();
    forget_readers();
    for (const auto& survivor : survivors) {
      std::erase_if(killed_, [&](const core::Leftover& one) { return one.pid == survivor.pid; });
    }
    cgroup_.generation_ended();
    auto ended = std::exchange(ended_, nullptr);
    ended(std::move(survivors), std::exchange(killed_, {}));
  }

  // A group that the signal ends at once needs no look, and many processes that end together are
  // one.
  void go_on_soon() {
    if (std::exchange(look_is_near_, true)) return;
    soon_timer_.expires_after(kLookAfter);
    soon_timer_.async_wait([this](boost::system::error_code ec) {
      look_is_near_ = false;
      if (!ec && !ended_ && tree_.go_on()) look_again();
    });
  }

  void look_again() {
    if (std::exchange(look_due_, true)) return;
    look_timer_.expires_after(core::kLookAgainAfter);
    look_timer_.async_wait([this](boost::system::error_code ec) {
      look_due_ = false;
      if (!ec && !ended_ && tree_.go_on(/*due=*/true)) look_again();
    });
  }

  os::RankKeys keys() const {
    os::RankKeys keys;
    keys.notify_prefix = notify_prefix_;
    for (std::size_t rank = 0; rank < workers_.size(); ++rank) {
      if (workers_[rank])
        keys.ranks.push_back({static_cast<core::LocalRank>(rank), workers_[rank]->pid()});
    }
    for (const auto& helper : helpers_) {
      if (!helper->reaped()) keys.not_theirs.push_back(helper->pid());
    }
    return keys;
  }

  bool all_reaped() const {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& watcher) { return watcher == nullptr || watcher->reaped(); });
  }

  core::LocalRank rank_of(int pid) const {
    for (std::size_t rank = 0; rank < workers_.size(); ++rank) {
      const auto& watcher = workers_[rank];
      if (watcher && !watcher->reaped() && watcher->pid() == pid)
        return static_cast<core::LocalRank>(rank);
    }
    return -1;
  }

  bool is_helper(int pid) const {
    return std::any_of(helpers_.begin(), helpers_.end(), [pid](const auto& helper) {
      return !helper->reaped() && helper->pid() == pid;
    });
  }

  std::unique_ptr<os::ExitWatcher>& worker(core::LocalRank rank) {
    return workers_.at(static_cast<std::size_t>(rank));
  }

  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer readers_timer_;
  boost::asio::steady_timer soon_timer_;
  boost::asio::steady_timer look_timer_;
  os::Spawner spawner_;
  WorkerCgroup cgroup_;
  std::string notify_prefix_;
  std::function<void(const core::ProcessTable&)> before_kill_;
  RankTree tree_;
  bool look_is_near_ = false;
  bool look_due_ = false;
  Exited exited_;
  std::function<void()> gone_;
  Ended ended_;
  bool looked_ = false;                                 // at what is to be killed
  bool readers_first_ = false;                          // what reads a pipe may read it to its end
  std::vector<std::pair<int, std::uint64_t>> readers_;  // those that may still, by start time
  std::vector<core::Leftover> killed_;  // of the ranks', beside their first processes
  std::vector<std::unique_ptr<os::ExitWatcher>> workers_;
  std::vector<std::unique_ptr<os::ExitWatcher>> helpers_;
};

WorkerSet::WorkerSet(boost::asio::io_context& io, Config config, Exited exited)
    : impl_(std::make_unique<Impl>(io, std::move(config), std::move(exited))) {}
WorkerSet::~WorkerSet() = default;

std::variant<int, core::SpawnError> WorkerSet::spawn(core::LocalRank local_rank,
                                                     os::SpawnRequest request) {
  return impl_->spawn(local_rank, std::move(request));
}
std::optional<core::SpawnError> WorkerSet::spawn_helper(
    os::SpawnRequest request, std::function<void(core::ExitStatus)> ended) {
  return impl_->spawn_helper(std::move(request), std::move(ended));
}
void WorkerSet::kill_helpers() { impl_->kill_helpers(); }
void WorkerSet::signal_process(core::LocalRank local_rank, int signal) {
  impl_->signal_process(local_rank, signal);
}
int WorkerSet::living_pid(core::LocalRank local_rank) const {
  return impl_->living_pid(local_rank);
}
void WorkerSet::signal(core::LocalRank local_rank, int signal) {
  impl_->signal(local_rank, signal);
}
void WorkerSet::signal_all(int signal) { impl_->signal_all(signal); }
void WorkerSet::stop(core::LocalRank local_rank, int signal) { impl_->stop(local_rank, signal); }
void WorkerSet::stop_began(int signal) { impl_->stop_began(signal); }
void WorkerSet::stop_rest(int signal) { impl_->stop_rest(signal); }
void WorkerSet::forward(int signal) { impl_->forward(signal); }
void WorkerSet::await_descendants(std::function<void()> gone) {
  impl_->await_descendants(std::move(gone));
}
std::vector<core::Leftover> WorkerSet::left_running() const { return impl_->left_running(); }
void WorkerSet::child_changed() { impl_->child_changed(); }
std::vector<core::Survivor> WorkerSet::remaining() const { return impl_->remaining(); }
void WorkerSet::end(std::chrono::steady_clock::time_point deadline, bool at_once, Ended ended) {
  impl_->end(deadline, at_once, std::move(ended));
}

}  // namespace ddp
