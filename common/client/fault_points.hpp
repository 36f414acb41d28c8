// The points of a training loop at which a plan's faults are injected, in a few lines of a worker:
//
//     auto faults = ddp::FaultPoints::read(*env, notifier);    // an error names DDP_FAULTS
//     for (step = 1; …) {
//       faults->begin_step(step);                              // delay
//       … backward pass …
//       faults->damage(step, gradient);                        // nan, bitflip
//       … all-reduce …                                         // triggers(): skip, die inside
//       faults->end_step(step, {{"loss", loss}});              // exit, throw, segfault, abort
//     }
//
// Without a plan these calls send what Notifier's calls send. With one (DDP_FAULTS is set,
// common/faults/worker_faults.hpp) each step and phase is followed by BARRIER=1: the worker
// continues when the launcher has handled it, so that a fault from outside at step 50 comes between
// the end of step 50 and the start of step 51. A fault that the worker injects itself is reported
// as X_DDP_FAULT, and acknowledged, before.
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
  // The longest wait for the launcher to answer a barrier.
  static constexpr std::chrono::seconds kBarrierTimeout{10};

  // No plan; `notifier` is borrowed, as by read().
  explicit FaultPoints(Notifier& notifier) : notifier_(&notifier) {}
  // DDP_FAULTS of this process's environment, or from `get_env`. The error names it.
  static Result<FaultPoints> read(const WorkerEnv& env, Notifier& notifier);
  static Result<FaultPoints> read(const WorkerEnv& env, Notifier& notifier, const GetEnv& get_env);

  bool active() const { return faults_.active(); }

  void phase(std::string_view name);
  // Before step `step`: delay.
  void begin_step(std::int64_t step);
  // After step `step`: X_DDP_STEP with its metrics, a heartbeat where one is due; then exit, throw,
  // segfault and abort.
  void end_step(std::int64_t step, const std::vector<std::pair<std::string, double>>& metrics = {});
  // The faults of `kinds` that are due in `step`, already reported: the caller must do them now.
  std::vector<fault::WorkerFaults::Injection> take(std::int64_t step,
                                                   std::initializer_list<fault::Kind> kinds);
  // Whether one of this kind is due, where nothing else about it matters.
  bool triggers(std::int64_t step, fault::Kind kind) { return !take(step, {kind}).empty(); }
  // nan and bitflip, on an element of a gradient in this process's memory.
  void damage(std::int64_t step, std::span<float> gradient);
  // Waits, with a plan, until the launcher has handled everything sent so far.
  void settle();

 private:
  Notifier* notifier_;
  fault::WorkerFaults faults_;
};

namespace fault {

// `value` after a fault of kind nan or bitflip. Without a value, the bit is the highest five bits
// of `choice`; which of n elements is `choice` modulo n.
float damaged(const WorkerFaults::Injection& injection, float value);

// Ends the process as by SIGKILL: no destructor runs, and peers get no message.
[[noreturn]] void die();
// Waits indefinitely, as in a deadlock.
[[noreturn]] void stand_still();

}  // namespace fault
}  // namespace ddp
