// What the fault engine asks for.
#pragma once

#include "common/faults/spec.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace ddp::core {

// A fault is injected now. For Side::worker this is news only: the worker injects it itself.
struct Injection {
  int fault = 0;  // place in the plan
  std::int64_t occurrence = 0;
  fault::Kind kind = fault::Kind::kill;
  fault::Value value;
  Generation generation = 0;
  std::optional<LocalRank> local_rank;     // none: the launcher, or the whole group
  std::optional<std::int64_t> step;        // the worker's, where it reports steps
  std::optional<Nanoseconds> since_start;  // of the worker
  fault::Spec replay;  // injects the same again, whatever the original drew or waited for
};

// The time of a lasting fault is over: undo it, unless another holds its rank in the same way.
struct UndoFault {
  int fault = 0;
  fault::Kind kind = fault::Kind::stop;
  LocalRank local_rank = 0;
  bool still_held = false;
};

// The duty cycle of `slow`: stop the worker, or let it run on.
struct ThrottleTick {
  LocalRank local_rank = 0;
  bool run = false;
};

using FaultAction = std::variant<Injection, UndoFault, ThrottleTick>;
using FaultActions = std::vector<FaultAction>;

}  // namespace ddp::core
