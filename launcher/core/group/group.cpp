#include "launcher/core/group/group.hpp"

#include "launcher/core/group/exit_code.hpp"

#include <algorithm>
#include <cassert>
#include <csignal>

namespace ddp::core {
namespace {

// `timeout` and some shells signal a launcher's pid and then its process group: one request.
constexpr auto kSameRequest = std::chrono::seconds(1);

}  // namespace

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::idle:
      return "idle";
    case Phase::launching:
      return "launching";
    case Phase::running:
      return "running";
    case Phase::examining:
      return "examining";
    case Phase::tearing_down:
      return "tearing down";
    case Phase::lingering:
      return "lingering";
    case Phase::closing:
      return "closing";
    case Phase::backing_off:
      return "backing off";
    case Phase::finished:
      return "finished";
  }
  return "?";
}

Group::Group(GroupConfig config) : config_(std::move(config)), history_(config_.restart) {
  assert(config_.nproc > 0);
}

Actions Group::step(const Event& event, TimePoint now) {
  Actions actions;
  if (phase_ == Phase::finished) return actions;

  if (std::holds_alternative<StartRequested>(event)) {
    if (phase_ == Phase::idle) begin_generation(0, now, actions);
  } else if (const auto* started = std::get_if<WorkerStarted>(&event)) {
    spawn_in_flight_ = false;
    auto& outcome = worker(started->local_rank);
    outcome.pid = started->pid;
    outcome.started = now;
    if (phase_ == Phase::launching) {
      spawn_next(now, actions);
    } else if (phase_ == Phase::tearing_down) {
      // It was being started while the group already had to go.
      outcome.stopped_by_launcher = true;
      signal(started->local_rank, escalated_ ? SIGKILL : asked_with_, actions);
      if (escalated_) close(actions);
    }
  } else if (const auto* failed = std::get_if<SpawnFailed>(&event)) {
    spawn_in_flight_ = false;
    if (phase_ == Phase::launching)
      tear_down(WorkerNotStarted{failed->local_rank, failed->error}, now, actions);
    if (escalated_) close(actions);
    linger_if_all_gone(now, actions);
  } else if (const auto* ready = std::get_if<WorkerReady>(&event)) {
    auto& outcome = worker(ready->local_rank);
    if (!outcome.ready) outcome.ready = now;
  } else if (const auto* step = std::get_if<WorkerStep>(&event)) {
    worker(step->local_rank).last_step = step->step;
  } else if (const auto* exited = std::get_if<WorkerExited>(&event)) {
    worker_exited(*exited, now, actions);
  } else if (const auto* hung = std::get_if<HangDetected>(&event)) {
    hang_detected(hung->hang, now, actions);
  } else if (const auto* seen = std::get_if<ProcessesSeen>(&event)) {
    processes_seen(*seen);
  } else if (const auto* evidence = std::get_if<EvidenceTaken>(&event)) {
    if (phase_ == Phase::examining && evidence->generation == verdict_.generation) {
      tear_down(*verdict_.cause, now, actions);
      linger_if_all_gone(now, actions);
    }
  } else if (const auto* gone = std::get_if<DescendantsGone>(&event)) {
    if (phase_ == Phase::lingering && gone->generation == verdict_.generation) close(actions);
  } else if (const auto* stop = std::get_if<StopRequested>(&event)) {
    stop_requested(*stop, now, actions);
  } else if (const auto* suspended = std::get_if<Suspended>(&event)) {
    for (auto* due : {&deadline_, &signal_rest_at_}) {
      if (*due) **due += suspended->duration;
    }
  } else if (const auto* over = std::get_if<GenerationEnded>(&event)) {
    if (phase_ == Phase::closing) generation_ended(*over, now, actions);
  } else if (std::holds_alternative<Tick>(event)) {
    tick(now, actions);
  }
  return actions;
}

std::optional<TimePoint> Group::next_deadline() const {
  if (deadline_ && signal_rest_at_) return std::min(*deadline_, *signal_rest_at_);
  return deadline_ ? deadline_ : signal_rest_at_;
}

void Group::begin_generation(Generation generation, TimePoint now, Actions& actions) {
  phase_ = Phase::launching;
  verdict_ = Verdict{};
  verdict_.generation = generation;
  verdict_.began = now;
  verdict_.workers.resize(static_cast<std::size_t>(config_.nproc));
  for (LocalRank rank = 0; rank < config_.nproc; ++rank) worker(rank).local_rank = rank;
  next_to_spawn_ = 0;
  spawn_in_flight_ = false;
  escalated_ = false;
  early_.reset();
  signal_rest_at_.reset();
  deadline_.reset();
  actions.push_back(BeginGeneration{generation});
  spawn_next(now, actions);
}

void Group::spawn_next(TimePoint now, Actions& actions) {
  if (next_to_spawn_ == config_.nproc) {
    phase_ = Phase::running;
    actions.push_back(GroupRunning{verdict_.generation});
    linger_if_all_gone(now, actions);
    return;
  }
  spawn_in_flight_ = true;
  actions.push_back(SpawnWorker{verdict_.generation, next_to_spawn_++});
}

void Group::worker_exited(const WorkerExited& event, TimePoint now, Actions& actions) {
  auto& outcome = worker(event.local_rank);
  if (outcome.status) return;  // one terminal event per worker
  outcome.status = event.status;
  outcome.ended = now;
  outcome.oom_killed = event.oom_killed;

  if (phase_ == Phase::launching || phase_ == Phase::running) {
    const bool others_remain = phase_ == Phase::launching || !alive_workers().empty();
    if (!succeeded(event.status)) {
      tear_down(WorkerFailed{event.local_rank, event.status, event.oom_killed}, now, actions);
    } else if (others_remain) {
      exited_early(event.local_rank, now, actions);
    }
  }
  // Whatever was being looked at is no longer as it was.
  if (phase_ == Phase::examining) tear_down(*verdict_.cause, now, actions);
  linger_if_all_gone(now, actions);
}

void Group::exited_early(LocalRank local_rank, TimePoint now, Actions& actions) {
  if (!config_.early_exit_allowed || early_) return;
  early_ = local_rank;
  deadline_ = now + *config_.early_exit_allowed;
  if (config_.early_exit_allowed <= Nanoseconds::zero()) tick(now, actions);
}

void Group::hang_detected(const Hang& hang, TimePoint now, Actions& actions) {
  out_of_time_ |= hang.kind == HangKind::run_timeout;
  if (phase_ == Phase::launching || phase_ == Phase::running) {
    phase_ = Phase::examining;
    verdict_.cause = Hung{hang, blame(hang)};
    verdict_.failed = now;
    deadline_ = now + config_.evidence_timeout;
    actions.push_back(TakeEvidence{verdict_.generation, hang, *deadline_});
  } else if (phase_ == Phase::backing_off && out_of_time_) {
    // The last failure has been reported; what ends the run is its time.
    actions.push_back(RestartGivenUp{});
    finish(kHung, actions);
  }
}

void Group::processes_seen(const ProcessesSeen& event) {
  if (phase_ != Phase::examining || event.generation != verdict_.generation) return;
  auto& hung = std::get<Hung>(*verdict_.cause);
  for (std::size_t i = 0; i < event.processes.size() && i < hung.hang.ranks.size(); ++i)
    hung.hang.ranks[i].process = event.processes[i];
  hung.local_rank = blame(hung.hang);
}

void Group::stop_requested(const StopRequested& event, TimePoint now, Actions& actions) {
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
      tear_down(*verdict_.cause, now, actions);
      linger_if_all_gone(now, actions);
      break;
    case Phase::tearing_down:
    case Phase::lingering:
      if (again || (event.signal == SIGINT && verdict_.cause)) {
        if (!escalated_) escalate(event.signal, actions);
      } else if (!verdict_.cause) {
        signal_rest(actions);  // the ranks have succeeded; what they left running has not ended
      }
      break;
    case Phase::backing_off:
      actions.push_back(RestartGivenUp{event.signal});
      [[fallthrough]];
    case Phase::idle:
      // The last failure has been reported; what ends the run is the request.
      finish(128 + *stop_signal_, actions);
      break;
    case Phase::closing:  // heard when the generation has ended
    case Phase::finished:
      break;
  }
}

void Group::generation_ended(const GenerationEnded& event, TimePoint now, Actions& actions) {
  verdict_.ended = now;
  verdict_.survivors = event.survivors;
  verdict_.killed = event.killed;
  if (!verdict_.cause && verdict_.survivors.empty()) {
    actions.push_back(GenerationOver{verdict_, std::nullopt});
    finish(exit_code_of(verdict_), actions);
    return;
  }
  RestartDecision decision = GiveUp{GiveUp::Reason::unkillable, history_.restarts()};
  if (stop_signal_) {
    decision = GiveUp{GiveUp::Reason::stop_requested, history_.restarts()};
  } else if (out_of_time_) {
    decision = GiveUp{GiveUp::Reason::out_of_time, history_.restarts()};
  } else if (verdict_.cause) {
    decision = history_.decide(verdict_, now);
  }
  actions.push_back(GenerationOver{verdict_, decision});
  if (const auto* again = std::get_if<RestartIn>(&decision)) {
    if (again->delay <= Nanoseconds::zero()) {
      begin_generation(verdict_.generation + 1, now, actions);
    } else {
      phase_ = Phase::backing_off;
      deadline_ = now + again->delay;
    }
    return;
  }
  finish(exit_code_of(verdict_), actions);
}

void Group::tick(TimePoint now, Actions& actions) {
  if (deadline_ && now >= *deadline_) {
    signal_rest_at_.reset();
  } else {
    if (signal_rest_at_ && now >= *signal_rest_at_) signal_rest(actions);
    return;
  }
  if ((phase_ == Phase::launching || phase_ == Phase::running) && early_) {
    tear_down(ExitedEarly{*early_, *config_.early_exit_allowed}, now, actions);
  } else if (phase_ == Phase::examining) {
    tear_down(*verdict_.cause, now, actions);
    linger_if_all_gone(now, actions);
  } else if (phase_ == Phase::tearing_down || phase_ == Phase::lingering) {
    escalate(std::nullopt, actions);
  } else if (phase_ == Phase::backing_off) {
    begin_generation(verdict_.generation + 1, now, actions);
  }
}

void Group::tear_down(Cause cause, TimePoint now, Actions& actions) {
  phase_ = Phase::tearing_down;
  verdict_.cause = cause;
  if (!verdict_.failed) verdict_.failed = now;  // a hang was seen before this
  deadline_ = now + config_.shutdown_timeout;
  signal_rest_at_ = now + config_.shutdown_timeout / 2;
  const auto* stopped = std::get_if<StoppedBySignal>(&cause);
  // SIGHUP means "read your configuration" to many programs, and SIGQUIT "dump core": ranks get
  // SIGTERM for both. SIGINT stays SIGINT, or no KeyboardInterrupt handler would ever run.
  asked_with_ = config_.stop_signal.value_or(
      stopped != nullptr && stopped->signal == SIGINT ? SIGINT : SIGTERM);
  const auto waiting_for = alive_workers();
  // The signals go first: a survivor waits for its signal, not for a line about it.
  for (const LocalRank rank : waiting_for) {
    worker(rank).stopped_by_launcher = true;
    signal(rank, asked_with_, actions);
  }
  // A stopped process gets its signal only when it is continued.
  for (const LocalRank rank : waiting_for) actions.push_back(SignalWorker{rank, SIGCONT});
  actions.push_back(TeardownBegan{std::move(cause), waiting_for, asked_with_, *deadline_});
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
  deadline_.reset();  // what SIGKILL does not end, EndGeneration's own bound names
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
  }  // else what is left of the grace period
  phase_ = Phase::lingering;
  actions.push_back(AwaitDescendants{verdict_.generation});
}

void Group::close(Actions& actions, bool at_once) {
  if (phase_ == Phase::closing) return;
  phase_ = Phase::closing;
  deadline_.reset();
  signal_rest_at_.reset();
  actions.push_back(EndGeneration{verdict_.generation, at_once});
}

void Group::finish(int exit_code, Actions& actions) {
  phase_ = Phase::finished;
  deadline_.reset();
  actions.push_back(Finish{exit_code});
}

void Group::signal(LocalRank local_rank, int signal, Actions& actions) {
  worker(local_rank).last_signal_sent = signal;
  actions.push_back(SignalWorker{local_rank, signal});
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
