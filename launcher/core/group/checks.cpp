// What comes before an attempt: the wait for the devices, and the user's own checks: when they run,
// are tried again, and end the run.
#include "launcher/core/exit_code.hpp"
#include "launcher/core/group/group.hpp"

#include <utility>

namespace ddp::core {

void Group::begin_checks(TimePoint now, Actions& actions) {
  if (!config_.check_timeout) return launch(now, actions);
  if (phase_ != Phase::checking) enter(Phase::checking);
  std::vector<LocalRank> ranks;
  for (LocalRank rank = 0; rank < config_.nproc; ++rank) ranks.push_back(rank);
  run_checks(std::move(ranks), now, actions);
}

void Group::on(const DevicesReleased& event, TimePoint now, Actions& actions) {
  if (phase_ != Phase::checking || checks_.ending || event.generation != verdict_.generation ||
      !std::exchange(checks_.devices, false))
    return;
  deadline_.reset();
  begin_checks(now, actions);
}

void Group::run_checks(std::vector<LocalRank> ranks, TimePoint now, Actions& actions) {
  checks_.running = {ranks.begin(), ranks.end()};
  deadline_ = now + *config_.check_timeout;
  actions.push_back(RunChecks{verdict_.generation, std::move(ranks)});
}

void Group::on(const CheckEnded& event, TimePoint, Actions& actions) {
  const CheckEnd& end = event.end;
  if (phase_ != Phase::checking || checks_.ending || checks_.running.erase(end.local_rank) == 0)
    return;
  const auto outcome = end.status ? outcome_of(*end.status) : CheckOutcome::refuse;
  if (outcome == CheckOutcome::retry) checks_.again.push_back(end.local_rank);
  if (outcome == CheckOutcome::refuse) checks_.refused.push_back(end.local_rank);
  // Nothing that a check left running is there when the next one, or the attempt, begins.
  if (checks_.running.empty() || !checks_.refused.empty()) end_checks(actions);
}

void Group::end_checks(Actions& actions) {
  deadline_.reset();
  if (!std::exchange(checks_.ending, true)) actions.push_back(EndChecks{});
}

// The time of the wait or of the checks is over, or a delay before they are tried again.
void Group::checks_due(TimePoint now, Actions& actions) {
  if (checks_.devices) {
    deadline_.reset();
    actions.push_back(EndDeviceWait{});
    return;
  }
  if (checks_.running.empty()) return run_checks(std::exchange(checks_.again, {}), now, actions);
  checks_.late = true;
  checks_.refused.assign(checks_.running.begin(), checks_.running.end());
  end_checks(actions);
}

void Group::on(const ChecksGone& event, TimePoint now, Actions& actions) {
  if (phase_ != Phase::checking) return;
  checks_.ending = false;
  checks_.running.clear();
  using Why = ChecksStop::Why;
  const auto stop = [&](Why why, int exit_code, std::vector<LocalRank> ranks = {}) {
    actions.push_back(
        ChecksStop{why, verdict_.generation, std::move(ranks), stop_signal_.value_or(0)});
    finish(exit_code, actions);
  };
  if (!event.survivors.empty()) return stop(Why::unkillable, kUnkillable);
  if (stop_signal_) return stop(Why::request, kSignalBase + *stop_signal_);
  if (out_of_time_) return stop(Why::out_of_time, kHung);
  if (!checks_.refused.empty())
    return stop(checks_.late ? Why::late : Why::refused, kSystemRefused, checks_.refused);
  if (checks_.again.empty()) return launch(now, actions);
  if (checks_.retries++ == config_.check_retries)
    return stop(Why::refused, kSystemRefused, checks_.again);
  deadline_ = now + config_.check_delay;
}

}  // namespace ddp::core
