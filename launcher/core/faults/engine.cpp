#include "launcher/core/faults/engine.hpp"

#include <algorithm>
#include <cassert>

namespace ddp::core {

using fault::Kind;
using fault::Schedule;
using fault::Side;
using fault::Spec;

FaultEngine::FaultEngine(std::vector<Spec> faults, std::uint64_t seed, RankGroup ranks)
    : seed_(seed), ranks_(ranks) {
  workers_.resize(static_cast<std::size_t>(ranks_.nproc));
  for (Spec& spec : faults) add(std::move(spec));
}

bool FaultEngine::add(Spec what) {
  const int fault = static_cast<int>(specs_.size());
  specs_.push_back(std::move(what));
  Spec& spec = specs_.back();
  const auto slots = slots_.size();
  const auto add_slot = [&](int rank) {
    slots_.push_back(
        {fault, rank, Schedule(spec, seed_, fault, rank, ranks_.world_size()), {}, false});
  };
  if (spec.ranks.mode == fault::Ranks::Mode::any) {
    add_slot(Schedule::kAny);
  } else {
    for (LocalRank local = 0; local < ranks_.nproc; ++local) {
      const int rank = ranks_.global(local).value;
      if (spec.addresses(rank)) add_slot(rank);
    }
  }
  // What the worker is handed must not depend on where the seed came from.
  if (!spec.seed) spec.seed = seed_;
  if (spec.line) {
    patterns_.resize(specs_.size());
    auto pattern = LinePattern::compile(*spec.line);
    assert(pattern);  // the parser tried it
    patterns_.back() = std::move(*pattern);
  }
  return slots_.size() > slots;
}

const Spec& FaultEngine::spec(const Slot& slot) const {
  return specs_[static_cast<std::size_t>(slot.fault)];
}

std::optional<LocalRank> FaultEngine::local(int rank) const { return ranks_.local({rank}); }

FaultEngine::Worker& FaultEngine::worker(LocalRank local_rank) {
  assert(local_rank >= 0 && local_rank < ranks_.nproc);
  return workers_[static_cast<std::size_t>(local_rank)];
}

bool FaultEngine::concerns(const Event& event) {
  return std::visit(
      [](const auto& one) {
        return requires(FaultEngine engine, TimePoint now, FaultActions actions) {
          engine.apply(one, now, actions);
        };
      },
      event);
}

FaultActions FaultEngine::step(const Event& event, TimePoint now) {
  FaultActions actions;
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { apply(one, now, actions); }) apply(one, now, actions);
      },
      event);
  return actions;
}

FaultActions FaultEngine::step(const TeardownBegan& teardown, TimePoint now) {
  FaultActions actions;
  lasting_.tick(now, actions);
  tearing_down_ = true;
  uptime_before_ = uptime(now);
  up_since_.reset();
  lasting_.apply(teardown, actions);
  return actions;
}

void FaultEngine::apply(const GenerationBegan& began, TimePoint now, FaultActions& actions) {
  lasting_.tick(now, actions);
  generation_ = began.generation;
  tearing_down_ = false;
  std::fill(workers_.begin(), workers_.end(), Worker{});
  for (auto& slot : slots_) slot.injected_this_generation = false;
  for (auto& slot : slots_) {
    if (fault::info(spec(slot).kind).side != Side::at_begin || !armed(slot)) continue;
    slot.injected_this_generation = true;
    inject(slot, slot.progress.next, std::nullopt, {}, actions);
  }
}

void FaultEngine::apply(const WorkerDue& due, TimePoint now, FaultActions& actions) {
  lasting_.tick(now, actions);
  for (auto& slot : slots_) {
    if (fault::info(spec(slot).kind).side != Side::at_spawn || !armed(slot) ||
        !may_inject(slot, due.local_rank))
      continue;
    slot.injected_this_generation = true;
    inject(slot, slot.progress.next, due.local_rank, {}, actions);
  }
}

void FaultEngine::apply(const WorkerStarted& started, TimePoint now, FaultActions& actions) {
  worker(started.local_rank) = Worker{.alive = true, .started = now};
  if (!up_since_) up_since_ = now;
  consider_running({.local_rank = started.local_rank}, now, actions);
}

void FaultEngine::apply(const WorkerReady& ready, TimePoint now, FaultActions& actions) {
  if (auto& one = worker(ready.local_rank); !one.ready) one.ready = now;
  consider_running({.local_rank = ready.local_rank}, now, actions);
}

void FaultEngine::apply(const WorkerStep& stepped, TimePoint now, FaultActions& actions) {
  worker(stepped.local_rank).step = stepped.step;
  consider_running({.local_rank = stepped.local_rank, .stepped = true}, now, actions);
}

void FaultEngine::apply(const WorkerPhase& entered, TimePoint now, FaultActions& actions) {
  worker(entered.local_rank).phase = entered.phase;
  consider_running({.local_rank = entered.local_rank, .phase = true}, now, actions);
}

void FaultEngine::apply(const WorkerLine& line, TimePoint now, FaultActions& actions) {
  consider_running({.local_rank = line.local_rank, .line = line.line}, now, actions);
}

void FaultEngine::apply(const WorkerExited& exited, TimePoint now, FaultActions& actions) {
  // Before what is due: nothing is due for a worker that has exited.
  worker(exited.local_rank).alive = false;
  worker(exited.local_rank).gone = true;
  lasting_.apply(exited);
  consider_running({}, now, actions);
}

void FaultEngine::apply(const Tick&, TimePoint now, FaultActions& actions) {
  consider_running({}, now, actions);
}

// Whether the slot has an occurrence left that may come in this generation.
bool FaultEngine::armed(const Slot& slot) const {
  return slot.progress.next < slot.schedule.times() && !slot.injected_this_generation &&
         spec(slot).in_generation(generation_);
}

// Whether the slot's next occurrence is meant for this worker.
bool FaultEngine::may_inject(const Slot& slot, LocalRank local_rank) const {
  return fault::info(spec(slot).kind).side == Side::launcher ||
         slot.schedule.rank(slot.progress.next) == ranks_.global(local_rank).value;
}

void FaultEngine::consider_running(const News& news, TimePoint now, FaultActions& actions) {
  lasting_.tick(now, actions);
  for (auto& slot : slots_) {
    const Spec& what = spec(slot);
    const Side side = fault::info(what.kind).side;
    if (side != Side::launcher && (side != Side::outside || tearing_down_)) continue;
    if (!what.periodic()) {
      for (LocalRank rank = 0; rank < ranks_.nproc; ++rank)
        consider_moment(slot, rank, news, now, actions);
      continue;
    }
    if (!what.in_generation(generation_)) continue;
    const auto& interval = what.every ? *what.every : *what.mtbf;
    if (std::holds_alternative<Nanoseconds>(interval)) {
      consider_uptime(slot, now, actions);
    } else if (news.stepped && workers_[static_cast<std::size_t>(*news.local_rank)].alive) {
      const auto occurrence =
          take_due(slot.schedule, slot.progress, ranks_.global(*news.local_rank).value,
                   *workers_[static_cast<std::size_t>(*news.local_rank)].step);
      if (occurrence) inject(slot, *occurrence, news.local_rank, now, actions);
    }
  }
}

void FaultEngine::consider_moment(Slot& slot, LocalRank local_rank, const News& news, TimePoint now,
                                  FaultActions& actions) {
  const Spec& what = spec(slot);
  const Worker& worker = workers_[static_cast<std::size_t>(local_rank)];
  if (!worker.alive || !armed(slot) || !may_inject(slot, local_rank)) return;
  const bool is_news = news.local_rank == local_rank;
  if (what.line) {
    const auto& pattern = patterns_[static_cast<std::size_t>(slot.fault)];
    if (!is_news || !news.line || !pattern->found_in(*news.line)) return;
  } else if (what.phase && (!is_news || !news.phase)) {
    return;
  }
  if (what.phase && worker.phase != *what.phase) return;
  if (what.step && (!worker.step || *worker.step < slot.schedule.step(slot.progress.next))) return;
  const auto time = time_of(what, worker);
  if (!time || now < *time) return;
  // A line or a phase may come again in this generation; a state would still be there at the next
  // event.
  slot.injected_this_generation = !what.line && !what.phase;
  inject(slot, slot.progress.next, local_rank, now, actions);
}

void FaultEngine::consider_uptime(Slot& slot, TimePoint now, FaultActions& actions) {
  bool injected_now = false;
  while (slot.progress.next < slot.schedule.times() &&
         slot.schedule.uptime(slot.progress.next) <= uptime(now)) {
    const auto occurrence = slot.progress.next;
    const auto local_rank = local(slot.schedule.rank(occurrence));
    const Worker* worker = local_rank ? &workers_[static_cast<std::size_t>(*local_rank)] : nullptr;
    // Still being started: the fault is injected as soon as it is there.
    if (worker != nullptr && !worker->alive && !worker->gone) return;
    if (worker != nullptr && worker->alive && !injected_now) {
      injected_now = true;
      inject(slot, occurrence, local_rank, now, actions);
    } else {
      slot.progress.finish(occurrence);
    }
  }
}

std::optional<TimePoint> FaultEngine::time_of(const Spec& what, const Worker& worker) const {
  TimePoint time = worker.started;
  if (what.after) time = std::max(time, worker.started + *what.after);
  if (what.ready) {
    if (!worker.ready) return std::nullopt;
    time = std::max(time, *worker.ready + *what.ready);
  }
  return time;
}

Nanoseconds FaultEngine::uptime(TimePoint now) const {
  return uptime_before_ + (up_since_ ? now - *up_since_ : Nanoseconds::zero());
}

std::optional<TimePoint> FaultEngine::next_deadline() const {
  std::optional<TimePoint> next = lasting_.next_deadline();
  const auto wanted = [&](TimePoint at) { next = next ? std::min(*next, at) : at; };
  for (const auto& slot : slots_) {
    const Spec& what = spec(slot);
    const Side side = fault::info(what.kind).side;
    if (side != Side::outside && side != Side::launcher) continue;
    if ((tearing_down_ && side == Side::outside) || slot.progress.next >= slot.schedule.times() ||
        !what.in_generation(generation_))
      continue;
    if (what.periodic()) {
      const auto& interval = what.every ? *what.every : *what.mtbf;
      if (!std::holds_alternative<Nanoseconds>(interval) || !up_since_) continue;
      const auto local_rank = local(slot.schedule.rank(slot.progress.next));
      // One that is still being started gets its fault at its start, without a deadline.
      const bool waits = local_rank && !workers_[static_cast<std::size_t>(*local_rank)].alive &&
                         !workers_[static_cast<std::size_t>(*local_rank)].gone;
      if (!waits) wanted(*up_since_ + (slot.schedule.uptime(slot.progress.next) - uptime_before_));
      continue;
    }
    if (!armed(slot) || what.line || what.phase || (!what.after && !what.ready)) continue;
    for (LocalRank rank = 0; rank < ranks_.nproc; ++rank) {
      const Worker& worker = workers_[static_cast<std::size_t>(rank)];
      if (!worker.alive || !may_inject(slot, rank)) continue;
      if (what.step && (!worker.step || *worker.step < slot.schedule.step(slot.progress.next)))
        continue;
      if (const auto time = time_of(what, worker)) wanted(*time);
    }
  }
  return next;
}

std::string FaultEngine::worker_faults(LocalRank local_rank) const {
  const int rank = ranks_.global(local_rank).value;
  std::vector<fault::WorkerFaultEntry> entries;
  for (const auto& slot : slots_) {
    const Spec& what = spec(slot);
    if (fault::info(what.kind).side != Side::worker || !what.in_generation(generation_) ||
        slot.progress.next >= slot.schedule.times())
      continue;
    if (slot.rank == rank || slot.rank == Schedule::kAny)
      entries.push_back({slot.fault, slot.progress, what});
  }
  return fault::format_entries(entries);
}

}  // namespace ddp::core
