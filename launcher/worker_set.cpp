#include "launcher/worker_set.hpp"

#include "launcher/os/descendants.hpp"
#include "launcher/os/signals.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

namespace ddp {

class WorkerSet::Impl {
 public:
  Impl(boost::asio::io_context& io, int nproc, const os::Cgroup* cgroup, Exited exited)
      : io_(io),
        timer_(io),
        home_(cgroup),
        exited_(std::move(exited)),
        workers_(static_cast<std::size_t>(nproc)) {}

  std::variant<int, core::SpawnError> spawn(core::LocalRank rank, os::SpawnRequest request) {
    if (const auto* cgroup = current_cgroup()) request.cgroup_fd = cgroup->fd();
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
    if (const auto* cgroup = current_cgroup()) request.cgroup_fd = cgroup->fd();
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

  void child_changed() {
    const bool any_left =
        os::reap_orphans([this](int pid) { return rank_of(pid) >= 0 || is_helper(pid); });
    if (ended_) sweep(any_left);
  }

  void end(std::chrono::steady_clock::time_point deadline, Ended ended) {
    ended_ = std::move(ended);
    timer_.expires_at(deadline);
    timer_.async_wait([this](boost::system::error_code ec) {
      if (!ec && ended_) finish(remaining());
    });
    // Not from within the caller's own action.
    boost::asio::post(io_, [this] { child_changed(); });
  }

  std::vector<core::Survivor> remaining() const {
    auto remaining = os::living_children();
    for (auto& one : remaining) one.local_rank = rank_of(one.pid);
    return remaining;
  }

 private:
  // One round. Killed processes tell us by SIGCHLD, and that is when the next round comes.
  void sweep(bool any_left) {
    if (any_left) {
      if (const auto* cgroup = current_cgroup()) {
        cgroup->kill();
        killed_ = true;
      }
      os::kill_children();
      return;
    }
    for (const auto& watcher : workers_) {
      if (watcher && !watcher->reaped()) return;  // dead, but its own watcher has not told yet
    }
    finish({});
  }

  void finish(std::vector<core::Survivor> survivors) {
    timer_.cancel();
    for (auto& watcher : workers_) watcher.reset();
    helpers_.clear();
    if (killed_) replace_cgroup();
    auto ended = std::exchange(ended_, nullptr);
    ended(std::move(survivors));
  }

  const os::Cgroup* current_cgroup() const { return successor_ ? &*successor_ : home_; }

  // A cgroup that was killed kills what is started within it (os::Cgroup::make_successor).
  void replace_cgroup() {
    killed_ = false;
    if (successor_) successor_->remove();
    successor_ = home_->make_successor(++successors_);
    if (!successor_) home_ = nullptr;  // a second net only: the subreaper finds everything
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
  os::Spawner spawner_;
  const os::Cgroup* home_;               // of the launch; nullptr: none
  std::optional<os::Cgroup> successor_;  // where the workers live once home_ was killed
  int successors_ = 0;
  bool killed_ = false;  // the current one
  Exited exited_;
  Ended ended_;
  std::vector<std::unique_ptr<os::ExitWatcher>> workers_;
  std::vector<std::unique_ptr<os::ExitWatcher>> helpers_;
};

WorkerSet::WorkerSet(boost::asio::io_context& io, int nproc, const os::Cgroup* cgroup,
                     Exited exited)
    : impl_(std::make_unique<Impl>(io, nproc, cgroup, std::move(exited))) {}
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
void WorkerSet::child_changed() { impl_->child_changed(); }
std::vector<core::Survivor> WorkerSet::remaining() const { return impl_->remaining(); }
void WorkerSet::end(std::chrono::steady_clock::time_point deadline, Ended ended) {
  impl_->end(deadline, std::move(ended));
}

}  // namespace ddp
