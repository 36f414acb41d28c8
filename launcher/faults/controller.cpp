#include "launcher/faults/controller.hpp"

#include "launcher/core/faults/traits.hpp"

#include <algorithm>
#include <utility>

namespace ddp {

using fault::Kind;

FaultController::FaultController(os::Loop& loop, const core::RankGroup& ranks,
                                 const core::FaultPlan& plan, out::Router& router, Workers& workers,
                                 core::Publish publish)
    : loop_(loop),
      router_(router),
      publish_(std::move(publish)),
      injector_(ranks, router, workers),
      timer_(loop.make_timer()),
      engine_(plan.faults, plan.seed, ranks),
      planned_(!plan.faults.empty()),
      active_(planned_) {
  want_lines();
}

FaultController::~FaultController() = default;

void FaultController::want_lines() {
  if (lines_ || !engine_.wants_lines()) return;
  lines_ = router_.on_line([this](int local_rank, out::Stream, std::string_view line) {
    publish_(core::WorkerLine{local_rank, line});
  });
}

FaultController::Added FaultController::add(const fault::Spec& spec) {
  active_ = true;
  publish_(core::FaultAdded{spec});
  if (!engine_.add(spec)) return Added::elsewhere;
  want_lines();
  last_.reset();
  carry_out(engine_.step(core::Tick{}, loop_.now()));
  if (!last_) return Added::waits;
  return last_->refused.empty() ? Added::injected : Added::refused;
}

void FaultController::on(const core::Event& event, core::TimePoint now) {
  core::dispatch(*this, event, now);
  // A tick of the group's deadline is not one of the engine, which has a timer.
  if (std::holds_alternative<core::Tick>(event)) return;
  if (core::FaultEngine::concerns(event)) carry_out(engine_.step(event, now));
}

void FaultController::on(const core::Action& action, core::TimePoint now) {
  const auto* teardown = std::get_if<core::TeardownBegan>(&action);
  if (teardown == nullptr) return;
  undone_by_ = "teardown";
  carry_out(engine_.step(*teardown, now));
  undone_by_ = "time";
  // The teardown itself continued them.
  close_lasting("teardown", [](const Lasting& one) {
    const auto& traits = core::traits(one.kind);
    return traits.stops_process || traits.throttles || traits.undone_at_teardown;
  });
}

SpawnChange FaultController::take_change(core::LocalRank local_rank) {
  if (planned_) change_.worker_faults = engine_.worker_faults(local_rank);
  return std::exchange(change_, {});
}

bool FaultController::keeps_stopped(core::LocalRank local_rank) const {
  return std::any_of(lasting_.begin(), lasting_.end(), [local_rank](const Lasting& one) {
    return core::traits(one.kind).stops_process && one.local_rank == local_rank;
  });
}

void FaultController::apply(const core::GenerationBegan& began, core::TimePoint) {
  injector_.generation_began(began.master_port);
}

void FaultController::apply(const core::WorkerStarted& started, core::TimePoint) {
  injector_.started(started.local_rank, started.pid);
}

void FaultController::apply(const core::WorkerExited& exited, core::TimePoint) {
  if (!active_) return;
  injector_.exited(exited.local_rank);
  close_lasting("exit", [&](const Lasting& one) { return one.local_rank == exited.local_rank; });
}

void FaultController::apply(const core::GenerationEnded&, core::TimePoint) {
  if (!injector_.generation_over()) return;
  publish_(core::FaultUndone{.kind = Kind::port_taken, .local_rank = {}, .by = "teardown"});
}

void FaultController::carry_out(const core::FaultActions& actions) {
  for (const auto& action : actions)
    std::visit([this](const auto& one) { carry_out(one); }, action);
  arm();
}

void FaultController::arm() {
  const auto deadline = engine_.next_deadline();
  if (deadline == armed_) return;
  armed_ = deadline;
  timer_->cancel();
  if (!deadline) return;
  timer_->at(*deadline, [this] {
    armed_.reset();
    carry_out(engine_.step(core::Tick{}, loop_.now()));
  });
}

void FaultController::carry_out(const core::Injection& injection) {
  const auto now = loop_.now();
  publish_(core::FaultTriggered{injection});
  const std::string refused = injector_.inject(injection, change_);
  last_ = core::FaultInjected{injection, now, refused};
  publish_(*last_);
  if (!refused.empty() || !injection.local_rank ||
      !fault::takes(injection.kind, fault::Word::lasts))
    return;
  close_lasting("another", [&](const Lasting& one) {
    return one.local_rank == *injection.local_rank &&
           core::LastingFaults::replaces(injection, one.fault, one.kind);
  });
  lasting_.push_back({injection.fault, injection.kind, *injection.local_rank});
}

void FaultController::carry_out(const core::UndoFault& undo) {
  if (!undo.still_held) injector_.undo(undo);
  close_lasting(undone_by_, [&](const Lasting& one) {
    return one.fault == undo.fault && one.kind == undo.kind && one.local_rank == undo.local_rank;
  });
}

void FaultController::carry_out(const core::ThrottleTick& tick) { injector_.throttle(tick); }

// Publishes the end of lasting faults.
void FaultController::close_lasting(std::string_view by,
                                    const std::function<bool(const Lasting&)>& is_over) {
  std::erase_if(lasting_, [&](const Lasting& one) {
    if (!is_over(one)) return false;
    publish_(core::FaultUndone{one.fault, one.kind, one.local_rank, by});
    return true;
  });
}

}  // namespace ddp
