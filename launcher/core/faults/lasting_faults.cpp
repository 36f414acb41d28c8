#include "launcher/core/faults/lasting_faults.hpp"

#include "launcher/core/faults/traits.hpp"

#include <algorithm>

namespace ddp::core {

using fault::Kind;

void LastingFaults::add(const Injection& injection, std::optional<Nanoseconds> lasts, TimePoint now,
                        FaultActions& actions) {
  if (!injection.local_rank) return;
  const FaultTraits& row = traits(injection.kind);
  std::erase_if(effects_, [&](const Effect& effect) {
    return effect.local_rank == *injection.local_rank &&
           replaces(injection, effect.fault, effect.kind);
  });
  if (!lasts && !row.throttles && !row.adds_up) return;
  Effect effect{
      .fault = injection.fault, .kind = injection.kind, .local_rank = *injection.local_rank};
  if (lasts) effect.until = now + *lasts;
  if (row.throttles) {
    effect.fraction = std::get<double>(injection.value);
    effect.running = false;
    effect.toggle_at = now + share(effect);
    actions.push_back(ThrottleTick{effect.local_rank, false});
  }
  effects_.push_back(effect);
}

Nanoseconds LastingFaults::share(const Effect& effect) {
  const double part = effect.running ? effect.fraction : 1 - effect.fraction;
  return Nanoseconds(static_cast<std::int64_t>(static_cast<double>(kPeriod.count()) * part));
}

bool LastingFaults::replaces(const Injection& later, int fault, Kind kind) {
  return later.kind == kind && (later.fault == fault || !traits(kind).adds_up);
}

bool LastingFaults::held(Kind kind, LocalRank local_rank) const {
  return std::any_of(effects_.begin(), effects_.end(), [&](const Effect& effect) {
    return effect.kind == kind && effect.local_rank == local_rank;
  });
}

bool LastingFaults::stopped(LocalRank local_rank) const {
  return std::any_of(effects_.begin(), effects_.end(), [&](const Effect& effect) {
    return traits(effect.kind).stops_process && effect.local_rank == local_rank;
  });
}

void LastingFaults::apply(const WorkerExited& exited) {
  std::erase_if(effects_,
                [&](const Effect& effect) { return effect.local_rank == exited.local_rank; });
}

void LastingFaults::apply(const TeardownBegan&, FaultActions& actions) {
  for (const auto& effect : effects_) {
    if (traits(effect.kind).undone_at_teardown)
      actions.push_back(UndoFault{effect.fault, effect.kind, effect.local_rank});
  }
  effects_.clear();
}

void LastingFaults::tick(TimePoint now, FaultActions& actions) {
  std::vector<Effect> over;
  std::erase_if(effects_, [&](const Effect& effect) {
    const bool done = effect.until && now >= *effect.until;
    if (done) over.push_back(effect);
    return done;
  });
  for (const auto& effect : over) {
    // A rank that another fault stops stays stopped when it is no longer slowed.
    if (traits(effect.kind).throttles && !effect.running && !stopped(effect.local_rank))
      actions.push_back(ThrottleTick{effect.local_rank, true});
    // Only faults that add up can still hold the rank.
    actions.push_back(UndoFault{effect.fault, effect.kind, effect.local_rank,
                                held(effect.kind, effect.local_rank)});
  }
  for (auto& effect : effects_) {
    if (!traits(effect.kind).throttles || now < effect.toggle_at) continue;
    effect.running = !effect.running;
    // From now, not from when it was due: a late launcher must not catch up in a burst.
    effect.toggle_at = now + share(effect);
    if (!stopped(effect.local_rank))
      actions.push_back(ThrottleTick{effect.local_rank, effect.running});
  }
}

std::optional<TimePoint> LastingFaults::next_deadline() const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint at) { next = next ? std::min(*next, at) : at; };
  for (const auto& effect : effects_) {
    if (effect.until) consider(*effect.until);
    if (traits(effect.kind).throttles) consider(effect.toggle_at);
  }
  return next;
}

}  // namespace ddp::core
