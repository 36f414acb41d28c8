#include "launcher/core/progress/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ddp::core {
namespace {

constexpr std::string_view kCheckpoint = "checkpoint";
constexpr double kSmoothing = 5e9;  // ns: a step time of so long ago counts 1/e

// Exponential smoothing whose weight depends on the time that passed, so that fast and slow
// workers settle in the same time.
void smooth(std::optional<Nanoseconds>& value, Nanoseconds per_step, Nanoseconds passed) {
  if (!value) {
    value = per_step;
    return;
  }
  const double weight = 1 - std::exp(-static_cast<double>(passed.count()) / kSmoothing);
  *value += Nanoseconds(
      static_cast<std::int64_t>(weight * static_cast<double>((per_step - *value).count())));
}

template <class T>
std::optional<T> median(std::vector<T> values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::string_view name_of(RankState state) {
  switch (state) {
    case RankState::waiting:
      return "waiting";
    case RankState::started:
      return "started";
    case RankState::ready:
      return "ready";
    case RankState::exited:
      break;
  }
  return "exited";
}

std::string_view name_of(GroupState state) {
  switch (state) {
    case GroupState::starting:
      return "starting";
    case GroupState::running:
      return "running";
    case GroupState::stopping:
      return "stopping";
    case GroupState::waiting:
      return "waiting to restart";
    case GroupState::finished:
      break;
  }
  return "finished";
}

void Progress::apply(const StartRequested&, TimePoint now) {
  began_ = now;
  ++version_;
}

void Progress::apply(const GenerationBegan& began, TimePoint now) {
  generation_ = began.generation;
  attempt_began_ = now;
  state_ = GroupState::starting;
  std::fill(ranks_.begin(), ranks_.end(), RankProgress{});
  up_ = reporting_ = checkpointing_ = 0;
  first_step_.reset();
  checkpointing_before_ = {};
  ++version_;
}

void Progress::apply(const WorkerStarted& started, TimePoint) {
  auto& one = rank(started.local_rank);
  one.state = RankState::started;
  one.pid = started.pid;
  ++up_;
  ++version_;
}

void Progress::apply(const WorkerReady& ready, TimePoint) {
  auto& one = rank(ready.local_rank);
  if (one.state != RankState::started) return;
  one.state = RankState::ready;
  ++version_;
}

void Progress::apply(const WorkerStep& step, TimePoint now) {
  auto& one = rank(step.local_rank);
  if (one.step && step.step == *one.step) return;  // a repeated message
  if (one.step && step.step < *one.step) {
    one.step_time.reset();  // it counts anew
  } else if (one.step) {
    const auto passed = now - one.stepped;
    smooth(one.step_time, passed / (step.step - *one.step), passed);
  } else {
    ++reporting_;
  }
  first_step_ = std::min(first_step_.value_or(step.step), step.step);
  one.step = step.step;
  one.stepped = now;
  if (step.loss) one.loss = step.loss;
  if (step.busy_seconds && std::isfinite(*step.busy_seconds) && *step.busy_seconds >= 0 &&
      *step.busy_seconds < 1e9)
    one.busy = Nanoseconds(static_cast<std::int64_t>(*step.busy_seconds * 1e9));
  ++version_;
}

void Progress::apply(const WorkerTotalSteps& total, TimePoint) {
  total_steps_ = total.total;
  ++version_;
}

void Progress::apply(const WorkerPhase& phase, TimePoint now) {
  auto& one = rank(phase.local_rank);
  if (one.phase == phase.phase) return;
  leave_phase(one, now);
  one.phase = phase.phase;
  if (one.phase == kCheckpoint && checkpointing_++ == 0) checkpointing_since_ = now;
  ++version_;
}

void Progress::leave_phase(const RankProgress& rank, TimePoint now) {
  if (rank.phase == kCheckpoint && --checkpointing_ == 0)
    checkpointing_before_ += now - checkpointing_since_;
}

void Progress::apply(const WorkerExited& exited, TimePoint now) {
  auto& one = rank(exited.local_rank);
  one.state = RankState::exited;
  one.status = exited.status;
  leave_phase(one, now);
  one.phase.clear();
  --up_;
  ++version_;
}

void Progress::apply(const GroupRunning&, TimePoint) {
  state_ = GroupState::running;
  ++version_;
}

void Progress::apply(const TeardownBegan&, TimePoint) {
  state_ = GroupState::stopping;
  ++version_;
}

void Progress::apply(const GenerationOver&, TimePoint) {
  state_ = GroupState::waiting;
  ++version_;
}

void Progress::apply(const Finish&, TimePoint) {
  state_ = GroupState::finished;
  ++version_;
}

std::optional<GroupStep> Progress::step() const {
  if (reporting_ == 0) return std::nullopt;
  GroupStep group;
  bool first = true;
  std::vector<Nanoseconds> busy;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    const auto& one = ranks_[i];
    if (!one.step) continue;
    if (first || *one.step < group.step) {
      group.step = *one.step;
      group.at = one.stepped;
    } else if (*one.step == group.step) {
      group.at = std::max(group.at, one.stepped);
    }
    group.lead = first ? *one.step : std::max(group.lead, *one.step);
    first = false;
    if (!group.loss) group.loss = one.loss;
    if (!one.busy) continue;
    busy.push_back(*one.busy);
    if (group.slowest && *one.busy <= group.slowest_busy) continue;
    group.slowest = static_cast<LocalRank>(i);
    group.slowest_busy = *one.busy;
  }
  group.busy_median = median(std::move(busy));
  group.checkpointing = checkpointing_before_;
  if (checkpointing_ > 0 && group.at > checkpointing_since_)
    group.checkpointing += group.at - checkpointing_since_;
  return group;
}

std::optional<double> Progress::rate() const {
  std::vector<Nanoseconds> times;
  for (const auto& one : ranks_) {
    if (one.step_time) times.push_back(*one.step_time);
  }
  const auto middle = median(std::move(times));
  if (!middle || middle->count() <= 0) return std::nullopt;
  return 1e9 / static_cast<double>(middle->count());
}

std::optional<Nanoseconds> Progress::time_left() const {
  const auto at = step();
  const auto speed = rate();
  if (!at || !speed || !total_steps_ || at->step > *total_steps_) return std::nullopt;
  const double seconds = static_cast<double>(*total_steps_ - at->step) / *speed;
  if (seconds > 1e9) return std::nullopt;
  return Nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

}  // namespace ddp::core
