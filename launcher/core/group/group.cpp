#include "launcher/core/group/group.hpp"

#include "launcher/core/exit_code.hpp"

#include <algorithm>
#include <cassert>
#include <csignal>
#include <utility>

namespace ddp::core {
namespace {

// `timeout` and some shells signal a launcher's pid and then its process group: one request.
constexpr auto kSameRequest = std::chrono::seconds(1);

}  // namespace

Group::Group(GroupConfig config) : config_(std::move(config)), history_(config_.restart) {
  assert(config_.nproc > 0);
}

Actions Group::step(const Event& event, TimePoint now) {
  Actions actions;
  if (phase_ != Phase::finished) std::visit([&](const auto& one) { on(one, now, actions); }, event);
  return actions;
}

void Group::enter(Phase next) {
  assert(is_transition(phase_, next));
  phase_ = next;
}

std::optional<TimePoint> Group::next_deadline() const {
  if (deadline_ && signal_rest_at_) return std::min(*deadline_, *signal_rest_at_);
  return deadline_ ? deadline_ : signal_rest_at_;
}

// --- one function an event

void Group::on(const StartRequested&, TimePoint now, Actions& actions) {
  if (phase_ == Phase::idle) begin_generation(0, now, actions);
}

void Group::on(const WorkerStarted& event, TimePoint now, Actions& actions) {
  spawn_in_flight_ = false;
  auto& outcome = worker(event.local_rank);
  outcome.pid = event.pid;
  outcome.started = now;
  if (phase_ == Phase::launching && disagreement_) {
    tear_down(MachinesDisagree{*disagreement_}, now, actions);
  } else if (phase_ == Phase::launching) {
    spawn_next(now, actions);
  } else if (phase_ == Phase::tearing_down) {  // its start was under way when the teardown began
    outcome.stopped_by_launcher = true;
    signal(event.local_rank, escalated_ ? SIGKILL : stop_signal_sent_, actions);
    if (escalated_) close(actions);
  }
}

void Group::on(const SpawnFailed& event, TimePoint now, Actions& actions) {
  spawn_in_flight_ = false;
  if (phase_ == Phase::launching)
    tear_down(WorkerNotStarted{event.local_rank, event.error}, now, actions);
  if (escalated_) close(actions);
  linger_if_all_gone(now, actions);
}

void Group::on(const WorkerReady& event, TimePoint now, Actions&) {
  auto& outcome = worker(event.local_rank);
  if (!outcome.ready) outcome.ready = now;
}

void Group::on(const WorkerStep& event, TimePoint, Actions&) {
  worker(event.local_rank).last_step = event.step;
}

void Group::on(const WorkerExited& event, TimePoint now, Actions& actions) {
  auto& outcome = worker(event.local_rank);
  if (outcome.status) return;  // one terminal event per worker
  outcome.status = event.status;
  outcome.ended = now;
  outcome.oom_killed = event.oom_killed;
  if (is_up()) {
    const bool others_remain = phase_ == Phase::launching || !alive_workers().empty();
    if (!succeeded(event.status)) {
      tear_down(WorkerFailed{event.local_rank, event.status, event.oom_killed}, now, actions);
    } else if (others_remain) {
      exited_early(event.local_rank, now, actions);
    }
  } else if (phase_ == Phase::examining) {  // the hang is no longer as it was
    tear_down(*verdict_.cause, now, actions);
  }
  linger_if_all_gone(now, actions);
}

void Group::on(const HangDetected& event, TimePoint now, Actions& actions) {
  const Hang& hang = event.hang;
  out_of_time_ |= hang.kind == HangKind::run_timeout;
  if (is_up()) {
    enter(Phase::examining);
    verdict_.cause = Hung{hang, root_cause_rank(hang)};
    verdict_.failed = now;
    deadline_ = now + config_.evidence_timeout;
    actions.push_back(TakeEvidence{verdict_.generation, hang, *deadline_});
  } else if (phase_ == Phase::backing_off && out_of_time_) {
    // The last failure has been reported; the run's time limit ends the run.
    actions.push_back(RestartGivenUp{});
    finish(kHung, actions);
  } else if (phase_ == Phase::checking && out_of_time_) {
    end_checks(actions);
  }
}

void Group::on(const ProcessesSeen& event, TimePoint, Actions&) {
  if (phase_ != Phase::examining || event.generation != verdict_.generation) return;
  auto& hung = std::get<Hung>(*verdict_.cause);
  for (std::size_t i = 0; i < event.processes.size() && i < hung.hang.ranks.size(); ++i)
    hung.hang.ranks[i].process = event.processes[i];
  hung.local_rank = root_cause_rank(hung.hang);
}

void Group::on(const EvidenceTaken& event, TimePoint now, Actions& actions) {
  if (phase_ == Phase::examining && event.generation == verdict_.generation)
    stop_examining(now, actions);
}

void Group::on(const DescendantsGone& event, TimePoint, Actions& actions) {
  if (phase_ == Phase::lingering && event.generation == verdict_.generation) close(actions);
}

void Group::on(const PeerDisagrees& event, TimePoint now, Actions& actions) {
  disagreement_ = event.what;  // a restart does not cure it: the next attempt ends with it
  if (!is_up()) return;
  tear_down(MachinesDisagree{event.what}, now, actions);
  linger_if_all_gone(now, actions);
}

void Group::on(const SignalRequested& event, TimePoint, Actions&) {
  worker(event.local_rank).requested = event.signal;
}

void Group::on(const RestartRequested& event, TimePoint now, Actions& actions) {
  if (phase_ == Phase::backing_off) return begin_generation(verdict_.generation + 1, now, actions);
  if (!is_up()) return;
  tear_down(RestartedByRequest{event.by}, now, actions);
  linger_if_all_gone(now, actions);
}

void Group::on(const StopRequested& event, TimePoint now, Actions& actions) {
  if (last_request_ && last_request_->signal == event.signal &&
      now - last_request_->at < kSameRequest)
    return;
  last_request_ = {event.signal, now};
  // A second request means now, whatever the group was doing at the first one.
  const bool again = stop_signal_.has_value();
  if (!again) stop_signal_ = event.signal;
  switch (phase_) {
    case Phase::launching:
    case Phase::running:
      tear_down(StoppedBySignal{event.signal, config_.graceful_exit_code}, now, actions);
      linger_if_all_gone(now, actions);
      break;
    case Phase::examining:
      stop_examining(now, actions);
      break;
    case Phase::tearing_down:
    case Phase::lingering:
      if (again || (event.signal == SIGINT && verdict_.cause)) {
        if (!escalated_) escalate(event.signal, actions);
      } else if (!verdict_.cause) {
        signal_rest(actions);  // the ranks have succeeded; processes that they left are alive
      }
      break;
    case Phase::checking:
      end_checks(actions);
      break;
    case Phase::backing_off:
      actions.push_back(RestartGivenUp{event.signal});
      [[fallthrough]];
    case Phase::idle:
      // The last failure has been reported; the request ends the run.
      finish(128 + *stop_signal_, actions);
      break;
    case Phase::closing:  // taken into account when the attempt has ended
    case Phase::finished:
      break;
  }
}

void Group::on(const Suspended& event, TimePoint, Actions&) {
  for (auto* due : {&deadline_, &signal_rest_at_}) {
    if (*due) **due += event.duration;
  }
}

void Group::on(const GenerationEnded& event, TimePoint now, Actions& actions) {
  if (phase_ != Phase::closing) return;
  verdict_.ended = now;
  verdict_.survivors = event.survivors;
  verdict_.killed = event.killed;
  // Who asks for a stop meanwhile gets no restart.
  if (stop_signal_ && verdict_.cause && std::holds_alternative<RestartedByRequest>(*verdict_.cause))
    verdict_.cause = StoppedBySignal{*stop_signal_, config_.graceful_exit_code};
  if (!verdict_.cause && verdict_.survivors.empty()) {
    actions.push_back(GenerationOver{verdict_, std::nullopt});
    return finish(exit_code_of(verdict_), actions);
  }
  const RestartDecision decision = decide(now);
  actions.push_back(GenerationOver{verdict_, decision});
  const auto* restart = std::get_if<RestartIn>(&decision);
  if (restart == nullptr) return finish(exit_code_of(verdict_), actions);
  if (restart->delay <= Nanoseconds::zero())
    return begin_generation(verdict_.generation + 1, now, actions);
  enter(Phase::backing_off);
  deadline_ = now + restart->delay;
}

void Group::on(const Tick&, TimePoint now, Actions& actions) {
  if (deadline_ && now >= *deadline_) {
    signal_rest_at_.reset();
    deadline_passed(now, actions);
  } else if (signal_rest_at_ && now >= *signal_rest_at_) {
    signal_rest(actions);
  }
}

// --- what events share

bool Group::is_up() const { return phase_ == Phase::launching || phase_ == Phase::running; }

void Group::begin_generation(Generation generation, TimePoint now, Actions& actions) {
  verdict_ = Verdict{};
  verdict_.generation = generation;
  verdict_.workers.resize(static_cast<std::size_t>(config_.nproc));
  for (LocalRank rank = 0; rank < config_.nproc; ++rank) worker(rank).local_rank = rank;
  next_to_spawn_ = 0;
  spawn_in_flight_ = false;
  escalated_ = false;
  early_.reset();
  signal_rest_at_.reset();
  deadline_.reset();
  checks_ = {};
  checks_.devices = generation > 0 && config_.device_release_timeout > Nanoseconds::zero();
  if (!checks_.devices) return begin_checks(now, actions);
  enter(Phase::checking);
  deadline_ = now + config_.device_release_timeout;
  actions.push_back(AwaitDevices{generation});
}

void Group::launch(TimePoint now, Actions& actions) {
  enter(Phase::launching);
  verdict_.began = now;
  actions.push_back(BeginGeneration{verdict_.generation});
  spawn_next(now, actions);
}

void Group::spawn_next(TimePoint now, Actions& actions) {
  if (next_to_spawn_ == config_.nproc) {
    enter(Phase::running);
    actions.push_back(GroupRunning{verdict_.generation});
    linger_if_all_gone(now, actions);
    return;
  }
  spawn_in_flight_ = true;
  actions.push_back(SpawnWorker{verdict_.generation, next_to_spawn_++});
}

void Group::exited_early(LocalRank local_rank, TimePoint now, Actions& actions) {
  if (!config_.early_exit_allowed || early_) return;
  early_ = local_rank;
  deadline_ = now + *config_.early_exit_allowed;
  if (config_.early_exit_allowed <= Nanoseconds::zero()) on(Tick{}, now, actions);
}

void Group::stop_examining(TimePoint now, Actions& actions) {
  tear_down(*verdict_.cause, now, actions);
  linger_if_all_gone(now, actions);
}

void Group::deadline_passed(TimePoint now, Actions& actions) {
  switch (phase_) {
    case Phase::launching:
    case Phase::running:
      if (early_) tear_down(ExitedEarly{*early_, *config_.early_exit_allowed}, now, actions);
      break;
    case Phase::examining:
      stop_examining(now, actions);
      break;
    case Phase::tearing_down:
    case Phase::lingering:
      escalate(std::nullopt, actions);
      break;
    case Phase::backing_off:
      begin_generation(verdict_.generation + 1, now, actions);
      break;
    case Phase::checking:
      checks_due(now, actions);
      break;
    case Phase::idle:
    case Phase::closing:
    case Phase::finished:
      break;
  }
}

RestartDecision Group::decide(TimePoint now) {
  using Reason = GiveUp::Reason;
  if (stop_signal_) return GiveUp{Reason::stop_requested, history_.restarts()};
  if (out_of_time_) return GiveUp{Reason::out_of_time, history_.restarts()};
  if (verdict_.cause && std::holds_alternative<RestartedByRequest>(*verdict_.cause) &&
      verdict_.survivors.empty())
    return RestartIn{};  // not counted
  if (verdict_.cause) return history_.decide(verdict_, now);
  return GiveUp{Reason::unkillable, history_.restarts()};
}

void Group::finish(int exit_code, Actions& actions) {
  enter(Phase::finished);
  deadline_.reset();
  actions.push_back(Finish{exit_code});
}

bool Group::alive(LocalRank local_rank) const {
  const auto& outcome = verdict_.workers[static_cast<std::size_t>(local_rank)];
  return outcome.pid > 0 && !outcome.status;
}

std::vector<LocalRank> Group::alive_workers() const {
  std::vector<LocalRank> ranks;
  for (LocalRank rank = 0; rank < config_.nproc; ++rank) {
    if (alive(rank)) ranks.push_back(rank);
  }
  return ranks;
}

WorkerOutcome& Group::worker(LocalRank local_rank) {
  assert(local_rank >= 0 && local_rank < static_cast<int>(verdict_.workers.size()));
  return verdict_.workers[static_cast<std::size_t>(local_rank)];
}

}  // namespace ddp::core
