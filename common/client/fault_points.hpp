// The points of a training loop at which a plan's faults strike, in a few lines of a worker:
//
//     auto faults = ddp::FaultPoints::read(*env, notifier);    // an error names DDP_FAULTS
//     for (step = 1; …) {
//       faults->begin_step(step);                              // delay
//       … backward pass …
//       faults->damage(step, gradient);                        // nan, bitflip
//       … all-reduce …                                         // strikes(): skip, die inside
//       faults->end_step(step, {{"loss", loss}});              // exit, throw, segfault, abort
//     }
//
// Without a plan these calls only tell the launcher what Notifier's would. With one (DDP_FAULTS is
// set, common/faults/worker_faults.hpp) each step and phase that is told is followed by BARRIER=1:
// the worker goes on when the launcher has acted on it, so that what strikes from outside at step
// 50 strikes between the end of step 50 and the begin of step 51. A fault of the worker's own is
// told as X_DDP_FAULT, and acknowledged, before it strikes.
#pragma once

#include "common/client/notifier.hpp"
#include "common/client/worker_env.hpp"
#include "common/faults/worker_faults.hpp"
#include "common/result.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

class FaultPoints {
 public:
  // A launcher that does not answer a barrier within this time is not waited for any longer.
  static constexpr std::chrono::seconds kBarrierTimeout{10};

  // No plan; `notifier` is borrowed, as by read().
  explicit FaultPoints(Notifier& notifier) : notifier_(&notifier) {}
  // DDP_FAULTS of this process's environment, or what `get_env` says. The error names it.
  static Result<FaultPoints> read(const WorkerEnv& env, Notifier& notifier);
  static Result<FaultPoints> read(const WorkerEnv& env, Notifier& notifier, const GetEnv& get_env);

  bool active() const { return faults_.active(); }

  void phase(std::string_view name);
  // Before step `step`: delay strikes here.
  void begin_step(std::int64_t step);
  // Behind step `step`: X_DDP_STEP with its metrics, a heartbeat where one is due; then exit,
  // throw, segfault and abort strike.
  void end_step(std::int64_t step, const std::vector<std::pair<std::string, double>>& metrics = {});
  // What of `kinds` strikes in `step`, already told to the launcher: the caller must do it now.
  std::vector<fault::WorkerFaults::Injection> take(std::int64_t step,
                                                   std::initializer_list<fault::Kind> kinds);
  // The same of one kind, where no more is to be known.
  bool triggers(std::int64_t step, fault::Kind kind) { return !take(step, {kind}).empty(); }
  // nan and bitflip, on an element of a gradient in this process's memory.
  void damage(std::int64_t step, std::span<float> gradient);
  // Waits, with a plan, until the launcher has handled all it was told.
  void settle();

 private:
  Notifier* notifier_;
  fault::WorkerFaults faults_;
};

namespace fault {

// `value` after a strike of kind nan or bitflip. The bit that no value names is `choice`'s highest
// five bits; which element of how many is `choice` modulo their number.
float damaged(const WorkerFaults::Injection& injection, float value);

// Ends the process as by SIGKILL: no destructor, no farewell to the peers.
[[noreturn]] void die();
// Waits for ever, as in a deadlock.
[[noreturn]] void stand_still();

}  // namespace fault
}  // namespace ddp
