// How a group is stopped: the stop signal, the rest of its processes, SIGKILL, and what is left.
#include "launcher/core/group/group.hpp"

#include <csignal>
#include <utility>

namespace ddp::core {

void Group::tear_down(Cause cause, TimePoint now, Actions& actions) {
  enter(Phase::tearing_down);
  verdict_.cause = cause;
  if (!verdict_.failed) verdict_.failed = now;  // a hang was seen before this
  deadline_ = now + config_.shutdown_timeout;
  signal_rest_at_ = now + config_.shutdown_timeout / 2;
  const auto* stopped = std::get_if<StoppedBySignal>(&cause);
  // SIGHUP means "read your configuration" to many programs, and SIGQUIT "dump core": ranks get
  // SIGTERM for both. SIGINT stays SIGINT, or no KeyboardInterrupt handler would ever run.
  stop_signal_sent_ = config_.stop_signal.value_or(
      stopped != nullptr && stopped->signal == SIGINT ? SIGINT : SIGTERM);
  const auto waiting_for = alive_workers();
  // The signals come first: no worker waits for them until a line is printed.
  for (const LocalRank rank : waiting_for) {
    worker(rank).stopped_by_launcher = true;
    signal(rank, stop_signal_sent_, actions);
  }
  // A stopped process gets its signal only when it is continued.
  for (const LocalRank rank : waiting_for) actions.push_back(SignalWorker{rank, SIGCONT});
  actions.push_back(TeardownBegan{std::move(cause), waiting_for, stop_signal_sent_, *deadline_});
  if (config_.shutdown_timeout <= Nanoseconds::zero() && !waiting_for.empty())
    escalate(std::nullopt, actions);
}

void Group::signal_rest(Actions& actions) {
  signal_rest_at_.reset();
  const int late = config_.stop_signal.value_or(SIGTERM);
  for (const LocalRank rank : alive_workers()) worker(rank).last_signal_sent = late;
  actions.push_back(SignalRest{late});
}

void Group::escalate(std::optional<int> by_request, Actions& actions) {
  escalated_ = true;
  deadline_.reset();  // EndGeneration has its own limit for what survives SIGKILL
  signal_rest_at_.reset();
  const auto waiting_for = alive_workers();
  for (const LocalRank rank : waiting_for) signal(rank, SIGKILL, actions);
  actions.push_back(TeardownEscalated{waiting_for, by_request});
  if (!spawn_in_flight_) close(actions, by_request.has_value());
}

void Group::linger_if_all_gone(TimePoint now, Actions& actions) {
  const bool spawning = spawn_in_flight_ || phase_ == Phase::launching;
  if ((phase_ != Phase::running && phase_ != Phase::tearing_down) || spawning ||
      !alive_workers().empty())
    return;
  if (escalated_) return close(actions);
  if (phase_ == Phase::running) {  // all exited 0
    if (config_.linger_timeout <= Nanoseconds::zero()) return close(actions);
    deadline_ = now + config_.linger_timeout;
    signal_rest_at_ = now + config_.linger_timeout / 2;
  }  // else the rest of the grace period
  enter(Phase::lingering);
  actions.push_back(AwaitDescendants{verdict_.generation});
}

void Group::close(Actions& actions, bool at_once) {
  if (phase_ == Phase::closing) return;
  enter(Phase::closing);
  deadline_.reset();
  signal_rest_at_.reset();
  actions.push_back(EndGeneration{verdict_.generation, at_once});
}

void Group::signal(LocalRank local_rank, int signal, Actions& actions) {
  worker(local_rank).last_signal_sent = signal;
  actions.push_back(SignalWorker{local_rank, signal});
}

}  // namespace ddp::core
