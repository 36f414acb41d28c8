#include "launcher/workers/worker_set.hpp"

#include "launcher/os/descendants.hpp"
#include "launcher/os/oom.hpp"
#include "launcher/os/proc.hpp"
#include "launcher/os/signals.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace ddp {
namespace {

constexpr auto kLookAfter = std::chrono::milliseconds(1);

}  // namespace

WorkerSet::WorkerSet(boost::asio::io_context& io, os::Loop& loop, Config config, Exited exited)
    : io_(io),
      loop_(loop),
      cgroup_(config.cgroup),
      notify_prefix_(std::move(config.notify_prefix)),
      before_kill_(std::move(config.before_kill)),
      forker_(config.forker),
      exited_(std::move(exited)),
      workers_(static_cast<std::size_t>(config.nproc)),
      tree_(config.stop_scope, [this] { return keys(); }),
      sweep_(loop, tree_, cgroup_, before_kill_),
      end_timer_(loop.make_timer()),
      soon_timer_(loop.make_timer()),
      look_timer_(loop.make_timer()) {}

void WorkerSet::begin() { oom_kills_before_ = os::oom_kills(); }

std::variant<int, core::SpawnError> WorkerSet::spawn(core::LocalRank rank,
                                                     os::SpawnRequest request) {
  request.cgroup_fd = cgroup_.fd();
  auto forked = forker_ != nullptr ? forker_->fork(request) : std::nullopt;
  auto spawned = forked ? std::move(*forked) : spawner_.spawn(request);
  if (const auto* error = std::get_if<core::SpawnError>(&spawned)) return *error;
  auto& child = std::get<os::Child>(spawned);
  workers_.at(static_cast<std::size_t>(rank)) = std::make_unique<os::ExitWatcher>(
      io_, child.pid, std::move(child.pidfd),
      [this, rank](core::ExitStatus status) { this->exited(rank, status); });
  return child.pid;
}

void WorkerSet::exited(core::LocalRank rank, core::ExitStatus status) {
  bool oom_killed = false;
  if (status == core::ExitStatus(core::Signaled{SIGKILL}) && oom_kills_before_) {
    const auto kills = os::oom_kills();
    oom_killed = kills && *kills > *oom_kills_before_;
  }
  exited_({rank, status, oom_killed});
  child_changed();
}

std::optional<core::SpawnError> WorkerSet::spawn_helper(
    os::SpawnRequest request, std::function<void(core::ExitStatus)> ended) {
  request.cgroup_fd = cgroup_.fd();
  auto spawned = spawner_.spawn(request);
  if (const auto* error = std::get_if<core::SpawnError>(&spawned)) return *error;
  auto& child = std::get<os::Child>(spawned);
  std::erase_if(helpers_, [](const auto& helper) { return helper->reaped(); });
  helpers_.push_back(
      std::make_unique<os::ExitWatcher>(io_, child.pid, std::move(child.pidfd),
                                        [this, ended = std::move(ended)](core::ExitStatus status) {
                                          ended(status);
                                          child_changed();
                                        }));
  return std::nullopt;
}

void WorkerSet::kill_helpers() {
  for (const auto& helper : helpers_) {
    if (!helper->reaped()) os::signal_group(helper->pid(), SIGKILL);
  }
}

int WorkerSet::living_pid(core::LocalRank rank) const {
  const auto& watcher = workers_.at(static_cast<std::size_t>(rank));
  return watcher && !watcher->reaped() ? watcher->pid() : 0;
}

void WorkerSet::signal(core::LocalRank rank, int signal) {
  // Only while its leader is unreaped does the group's number belong to it.
  if (const int pid = living_pid(rank); pid > 0) os::signal_group(pid, signal);
}

void WorkerSet::signal_process(core::LocalRank rank, int signal) {
  const int pid = living_pid(rank);
  if (pid <= 1) return;
  if (signal == SIGKILL && before_kill_) {
    core::ProcessFacts process;
    process.pid = pid;
    process.local_rank = rank;
    before_kill_({process});
  }
  ::kill(pid, signal);
}

void WorkerSet::stop(core::LocalRank rank, int signal) {
  if (const int pid = living_pid(rank); pid > 0) tree_.stop(pid, signal);
}

void WorkerSet::stop_began(int signal) {
  tree_.stop_began(signal);
  go_on_soon();
}

core::Nanoseconds WorkerSet::suspend(const std::function<bool(core::LocalRank)>& keeps_stopped) {
  const auto began = loop_.now();
  const auto nproc = static_cast<core::LocalRank>(workers_.size());
  for (core::LocalRank rank = 0; rank < nproc; ++rank) signal(rank, SIGSTOP);
  ::kill(::getpid(), SIGSTOP);
  for (core::LocalRank rank = 0; rank < nproc; ++rank) {
    if (!keeps_stopped(rank)) signal(rank, SIGCONT);
  }
  return loop_.now() - began;
}

void WorkerSet::child_changed() {
  const bool any_left =
      os::reap_orphans([this](int pid) { return rank_of(pid) >= 0 || is_helper(pid); });
  if (ended_) {
    // A killed process reports by SIGCHLD, and that is when the next round comes.
    if (any_left) {
      sweep_.round();
    } else if (all_reaped()) {
      finish({});  // else dead, but its own watcher has not reported yet
    }
    return;
  }
  if (gone_ && !any_left && all_reaped()) return std::exchange(gone_, nullptr)();
  if (any_left) go_on_soon();
}

void WorkerSet::await_descendants(std::function<void()> gone) {
  gone_ = std::move(gone);
  loop_.post([this] { child_changed(); });
}

std::vector<core::Leftover> WorkerSet::left_running() const {
  return os::left_running(tree_.look());
}

void WorkerSet::end(core::TimePoint deadline, bool at_once, Ended ended) {
  gone_ = nullptr;
  soon_timer_->cancel();
  look_timer_->cancel();
  look_is_near_ = look_due_ = false;
  ended_ = std::move(ended);
  sweep_.begin(/*readers_first=*/!at_once, [this] {
    if (ended_) child_changed();
  });
  end_timer_->at(deadline, [this] {
    if (ended_) finish(remaining());  // readers have had their time by then
  });
  // Not from within the caller's own action.
  loop_.post([this] { child_changed(); });
}

std::vector<core::Survivor> WorkerSet::remaining() const {
  auto remaining = os::living_children();
  std::erase_if(remaining, [this](const core::Survivor& one) { return sweep_.spares(one.pid); });
  for (auto& one : remaining) one.local_rank = rank_of(one.pid);
  return remaining;
}

void WorkerSet::finish(std::vector<core::Survivor> survivors) {
  end_timer_->cancel();
  for (auto& watcher : workers_) watcher.reset();
  helpers_.clear();
  tree_.generation_began();
  auto killed = sweep_.end(survivors);
  cgroup_.generation_ended();
  auto ended = std::exchange(ended_, nullptr);
  ended(std::move(survivors), std::move(killed));
}

// A group that the signal ends at once needs no scan, and many processes that exit together need
// one.
void WorkerSet::go_on_soon() {
  if (std::exchange(look_is_near_, true)) return;
  soon_timer_->at(loop_.now() + kLookAfter, [this] {
    look_is_near_ = false;
    if (!ended_ && tree_.go_on()) look_again();
  });
}

void WorkerSet::look_again() {
  if (std::exchange(look_due_, true)) return;
  look_timer_->at(loop_.now() + core::kLookAgainAfter, [this] {
    look_due_ = false;
    if (!ended_ && tree_.go_on(/*due=*/true)) look_again();
  });
}

os::RankKeys WorkerSet::keys() const {
  os::RankKeys keys;
  keys.notify_prefix = notify_prefix_;
  for (std::size_t rank = 0; rank < workers_.size(); ++rank) {
    if (workers_[rank])
      keys.ranks.push_back({static_cast<core::LocalRank>(rank), workers_[rank]->pid()});
  }
  for (const auto& helper : helpers_) {
    if (!helper->reaped()) keys.not_theirs.push_back(helper->pid());
  }
  if (forker_ != nullptr && forker_->pid() > 0) keys.not_theirs.push_back(forker_->pid());
  return keys;
}

bool WorkerSet::all_reaped() const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& watcher) { return watcher == nullptr || watcher->reaped(); });
}

core::LocalRank WorkerSet::rank_of(int pid) const {
  for (std::size_t rank = 0; rank < workers_.size(); ++rank) {
    const auto& watcher = workers_[rank];
    if (watcher && !watcher->reaped() && watcher->pid() == pid)
      return static_cast<core::LocalRank>(rank);
  }
  return -1;
}

bool WorkerSet::is_helper(int pid) const {
  return std::any_of(helpers_.begin(), helpers_.end(), [pid](const auto& helper) {
    return !helper->reaped() && helper->pid() == pid;
  });
}

}  // namespace ddp
