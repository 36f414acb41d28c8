#include "launcher/metrics/counts.hpp"

#include "launcher/core/cause.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace ddp::metrics {

void Counts::apply(const core::GenerationBegan& began, core::TimePoint) {
  if (began.generation > 0) ++restarts_;
  for (auto& rank : ranks_) rank.step.reset();
}

void Counts::apply(const core::WorkerStarted&, core::TimePoint now) {
  if (const auto failed = std::exchange(to_restart_, std::nullopt)) restart_.add(now - *failed);
}

void Counts::apply(const core::WorkerStep& step, core::TimePoint now) {
  if (const auto failed = std::exchange(to_step_, std::nullopt)) recovery_.add(now - *failed);
  auto& rank = ranks_.at(static_cast<std::size_t>(step.local_rank));
  if (rank.step && step.step == *rank.step) return;  // a repeated message
  // A lower one: it counts anew.
  if (rank.step && step.step > *rank.step) {
    const auto steps = step.step - *rank.step;
    rank.times.add((now - rank.at) / steps, static_cast<std::uint64_t>(steps));
  }
  rank.step = step.step;
  rank.at = now;
}

void Counts::apply(const core::FaultInjected& fault, core::TimePoint) {
  if (fault.refused.empty()) ++faults_injected_;
}

// No step took the time for which its process was stopped.
void Counts::apply(const core::Suspended& suspended, core::TimePoint) {
  for (auto& rank : ranks_) rank.at += suspended.duration;
}

void Counts::apply(const core::GenerationOver& over, core::TimePoint now) {
  to_restart_.reset();
  to_step_.reset();
  if (!over.decision || !std::holds_alternative<core::RestartIn>(*over.decision)) return;
  const auto& cause = over.verdict.cause;
  if (!cause || std::holds_alternative<core::RestartedByRequest>(*cause)) return;
  ++granted_;
  if (!limit_.window) return;
  in_window_.push_back(now);
  while (now - in_window_.front() > *limit_.window) in_window_.pop_front();
}

void Counts::failed(const core::Incident& incident) {
  ++failures_[core::cause_name(incident.cause)];
  to_restart_ = to_step_ = incident.failed;
  const auto detected = incident.detected ? incident.detected : core::standstill(incident.cause);
  if (detected) detection_.add(*detected);
}

int Counts::restarts_left(core::TimePoint now) const {
  const auto used = limit_.window
                        ? std::count_if(in_window_.begin(), in_window_.end(),
                                        [&](auto at) { return now - at <= *limit_.window; })
                        : granted_;
  return std::max(0, limit_.most - static_cast<int>(used));
}

}  // namespace ddp::metrics
