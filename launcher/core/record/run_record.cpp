#include "launcher/core/record/run_record.hpp"

#include "launcher/core/faults/traits.hpp"

#include <algorithm>
#include <csignal>

namespace ddp::core {
namespace {

// One rank's share of a fault to several.
bool same_injection(const Injection& one, const Injection& other) {
  return one.fault == other.fault && one.occurrence == other.occurrence;
}

// Of one attempt, before it is known which of them had a consequence.
constexpr std::ptrdiff_t kKeptInjections = 16;

}  // namespace

void Harmless::add(const InjectedFault& fault) {
  if (fault::info(fault.injection.kind).side == fault::Side::launcher) return;
  const auto alike = std::count_if(first.begin(), first.end(), [&](const InjectedFault& one) {
    return one.refused.empty() == fault.refused.empty();
  });
  if (alike == kMost) {
    ++more;
  } else {
    first.push_back(fault);
  }
}

void IncidentSummary::add(const Incident& incident) {
  ++count;
  detected.add(incident.detected);
  down.add(incident.down);
  first_step.add(incident.first_step);
  repeated.add(incident.repeated);
}

void RunRecord::began(Generation generation) {
  ++generations_;
  generation_ = generation;
  first_started_ = false;
  last_step_before_ = std::exchange(last_step_, std::nullopt);
}

Incident* RunRecord::failure_before() {
  if (incidents_.empty() || incidents_.back().generation + 1 != generation_) return nullptr;
  return &incidents_.back();
}

void RunRecord::started(TimePoint now) {
  ever_started_ = true;
  if (std::exchange(first_started_, true)) return;
  if (auto* incident = failure_before()) incident->next_exec = now - incident->failed;
}

void RunRecord::stepped(std::int64_t step, TimePoint now) {
  if (generations_ == 0) return;
  if (auto* incident = last_step_ ? nullptr : failure_before()) {  // its first one
    incident->first_step = now - incident->failed;
    if (last_step_before_)
      incident->repeated = std::max<std::int64_t>(0, *last_step_before_ - step + 1);
  }
  last_step_ = std::max(last_step_.value_or(step), step);
}

void RunRecord::injected(InjectedFault fault) {
  if (std::ssize(faults_) >= kKeptInjections) {
    const auto same = std::find_if(faults_.begin(), faults_.end(), [&](const InjectedFault& one) {
      return one.injection.fault == fault.injection.fault &&
             one.injection.local_rank == fault.injection.local_rank;
    });
    if (same != faults_.end()) {
      faults_.erase(same);
      ++harmless_.more;
    }
  }
  faults_.push_back(std::move(fault));
}

void RunRecord::undone(int fault, LocalRank local_rank, TimePoint now) {
  for (auto& one : faults_) {
    if (one.injection.fault == fault && one.injection.local_rank == local_rank && !one.over)
      one.over = now;
  }
}

void RunRecord::ended(const Verdict& verdict, std::optional<RankException> exception) {
  if (generations_ == 0) return;
  left_ += static_cast<std::int64_t>(verdict.survivors.size());
  ended_alike_.clear();
  if (verdict.cause && verdict.failed && is_failure(*verdict.cause)) {
    Incident incident{
        .generation = generation_, .cause = *verdict.cause, .failed = *verdict.failed};
    if (const auto rank = root_cause_rank(incident.cause)) {
      incident.rank = global_rank(first_rank_, *rank).value;
      incident.step = verdict.workers[static_cast<std::size_t>(*rank)].last_step;
    }
    incident.exception = std::move(exception);
    if (verdict.ended) incident.down = *verdict.ended - incident.failed;
    if (auto behind = fault_behind(faults_, verdict)) {
      behind = gather_alike(*behind, verdict);
      incident.fault = faults_[*behind];
      incident.detected = incident.failed - incident.fault->at;
      faults_.erase(faults_.begin() + static_cast<std::ptrdiff_t>(*behind));
    }
    if (auto* hung = std::get_if<Hung>(&incident.cause)) hung->hang.ranks.clear();
    add(std::move(incident));
  }
  for (const auto& fault : std::exchange(faults_, {})) harmless_.add(fault);
}

void RunRecord::diagnosed(Generation generation, Diagnosis diagnosis) {
  if (incidents_.empty() || incidents_.back().generation != generation || incidents_.back().fault)
    return;
  incidents_.back().diagnosis = std::move(diagnosis);
}

void RunRecord::finished(int exit_code, std::int64_t left, std::vector<FaultTally> planned) {
  exit_code_ = exit_code;
  planned_ = std::move(planned);
  left_ += left;
}

void RunRecord::lost(int exit_code, std::int64_t left, std::vector<FaultTally> planned) {
  lost_ = true;
  finished(exit_code, left, std::move(planned));
}

void RunRecord::add(Incident incident) {
  if (incidents_.size() > kMostIncidents) {
    folded_.add(incidents_.back());
    incidents_.pop_back();
  }
  incidents_.push_back(std::move(incident));
}

IncidentSummary RunRecord::summary() const {
  IncidentSummary all = folded_;
  for (const auto& incident : incidents_) all.add(incident);
  return all;
}

const Incident* RunRecord::last_failure() const {
  if (incidents_.empty() || incidents_.back().generation != generation_) return nullptr;
  return &incidents_.back();
}

Harmless RunRecord::harmless() const {
  Harmless all = harmless_;
  for (const auto& fault : faults_) all.add(fault);
  return all;
}

std::size_t RunRecord::gather_alike(std::size_t behind, const Verdict& verdict) {
  const Injection cause = faults_[behind].injection;
  for (std::size_t i = faults_.size(); i-- > 0;) {
    const Injection& injection = faults_[i].injection;
    if (i == behind || !injection.local_rank || injection.local_rank == cause.local_rank ||
        !faults_[i].refused.empty())
      continue;
    const auto& worker = verdict.workers[static_cast<std::size_t>(*injection.local_rank)];
    if (!worker.status || !is_end_by(injection, *worker.status)) continue;
    // Otherwise the teardown may be the reason.
    if (worker.stopped_by_launcher && !traits(injection.kind).at_once &&
        !same_injection(injection, cause))
      continue;
    if (std::find(ended_alike_.begin(), ended_alike_.end(), *injection.local_rank) ==
        ended_alike_.end())
      ended_alike_.push_back(*injection.local_rank);
    faults_.erase(faults_.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < behind) --behind;
  }
  std::sort(ended_alike_.begin(), ended_alike_.end());
  return behind;
}

}  // namespace ddp::core
