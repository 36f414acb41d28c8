// The moment a fault is triggered: what is reported of it, and what would inject the same again.
#include "launcher/core/faults/engine.hpp"

#include <utility>

namespace ddp::core {

using fault::Side;
using fault::Spec;

void FaultEngine::apply(const WorkerInjects& event, TimePoint now, FaultActions& actions) {
  lasting_.tick(now, actions);
  const int rank = ranks_.global(event.local_rank).value;
  for (auto& slot : slots_) {
    // What a worker reports is checked: only what it was handed, and each occurrence once.
    if (slot.fault != event.id.fault || fault::info(spec(slot).kind).side != Side::worker ||
        event.id.occurrence >= slot.schedule.times() ||
        slot.progress.is_done(event.id.occurrence) ||
        slot.schedule.rank(event.id.occurrence) != rank)
      continue;
    if (spec(slot).periodic())  // what it passed on the way is done with as well
      take_due(slot.schedule, slot.progress, rank, event.id.step);
    auto& worker = workers_[static_cast<std::size_t>(event.local_rank)];
    const auto reported = std::exchange(worker.step, event.id.step);
    inject(slot, event.id.occurrence, event.local_rank, now, actions);
    worker.step = reported;
  }
}

void FaultEngine::inject(Slot& slot, std::int64_t occurrence, std::optional<LocalRank> local_rank,
                         TimePoint now, FaultActions& actions) {
  const Spec& what = spec(slot);
  slot.progress.finish(occurrence);
  Injection injection{.fault = slot.fault,
                      .occurrence = occurrence,
                      .kind = what.kind,
                      .value = what.value,
                      .generation = generation_,
                      .local_rank = local_rank};
  Spec& replay = injection.replay;
  replay = what;
  replay.generations = {{generation_, generation_}};
  replay.every.reset();
  replay.mtbf.reset();
  replay.times.reset();
  replay.seed.reset();
  const Side side = fault::info(what.kind).side;
  if (local_rank && side != Side::launcher) {
    const int rank = ranks_.global(*local_rank).value;
    replay.ranks = {fault::Ranks::Mode::listed, {{rank, rank}}};
  }
  if (local_rank && side != Side::at_spawn) {
    const Worker& worker = workers_[static_cast<std::size_t>(*local_rank)];
    injection.step = worker.step;
    injection.since_start = now - worker.started;
    const auto& interval = what.every ? what.every : what.mtbf;
    const bool by_time = interval && std::holds_alternative<Nanoseconds>(*interval);
    if (by_time) {
      replay.after = injection.since_start;
    } else if (worker.step && (what.step || interval || what.line || what.phase)) {
      replay.step = fault::Range{*worker.step, *worker.step};
    }
  }
  if (side == Side::worker && injection.step) {
    replay.step = fault::Range{*injection.step, *injection.step};
    if (fault::takes(what.kind, fault::Word::choice))
      replay.choice = slot.schedule.choice(occurrence);
  }
  actions.push_back(injection);
  lasting_.add(injection, what.lasts, now, actions);
}

}  // namespace ddp::core
