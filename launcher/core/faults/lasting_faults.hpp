// Faults that last: until their time is over, their worker has exited or the group is torn down.
// Also keeps the duty cycle of `slow`.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/fault_action.hpp"

#include <optional>
#include <vector>

namespace ddp::core {

// Of one kind at one rank the later replaces the earlier, as the later prlimit does; only different
// faults that hold a rank (FaultTraits::adds_up) add up.
class LastingFaults {
 public:
  // One period of the duty cycle: long against a scheduler's slice, short against a step.
  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds(50);

  // A fault that was injected; those that need no care later are ignored.
  void add(const Injection& injection, std::optional<Nanoseconds> lasts, TimePoint now,
           FaultActions& actions);
  // Whether an injection takes the place of an earlier one at the same rank.
  static bool replaces(const Injection& later, int fault, fault::Kind kind);
  void apply(const WorkerExited& exited);
  // Output must flow again so that the pipes can be drained; the rest ends with its worker. No
  // worker is stopped or slowed any more, or it could not act on its stop signal.
  void apply(const TeardownBegan& teardown, FaultActions& actions);
  void tick(TimePoint now, FaultActions& actions);
  std::optional<TimePoint> next_deadline() const;

 private:
  struct Effect {
    int fault = 0;
    fault::Kind kind = fault::Kind::stop;
    LocalRank local_rank = 0;
    std::optional<TimePoint> until;
    double fraction = 1;  // of slow
    TimePoint toggle_at;
    bool running = true;
  };
  bool held(fault::Kind kind, LocalRank local_rank) const;
  bool stopped(LocalRank local_rank) const;
  static Nanoseconds share(const Effect& effect);

  std::vector<Effect> effects_;
};

}  // namespace ddp::core
