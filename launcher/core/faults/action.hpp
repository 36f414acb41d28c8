// What the fault engine is told, and what it asks for.
#pragma once

#include "common/faults/spec.hpp"
#include "common/faults/worker_faults.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ddp::core {

namespace heard {
struct GenerationBegan {  // its port is reserved, none of its workers is started
  Generation generation = 0;
};
struct SpawnDue {  // about to be started
  LocalRank local_rank = 0;
};
struct Started {
  LocalRank local_rank = 0;
};
struct Ready {  // READY=1
  LocalRank local_rank = 0;
};
struct Stepped {  // X_DDP_STEP
  LocalRank local_rank = 0;
  std::int64_t step = 0;
};
struct PhaseEntered {  // X_DDP_PHASE
  LocalRank local_rank = 0;
  std::string phase;
};
struct Said {  // a line of output
  LocalRank local_rank = 0;
  std::string_view line;
};
struct Injected {  // X_DDP_FAULT: the worker is about to strike itself
  LocalRank local_rank = 0;
  fault::InjectionId id;
};
struct Exited {
  LocalRank local_rank = 0;
};
struct TeardownBegan {};
struct Tick {};
}  // namespace heard

using FaultEvent = std::variant<heard::GenerationBegan, heard::SpawnDue, heard::Started,
                                heard::Ready, heard::Stepped, heard::PhaseEntered, heard::Said,
                                heard::Injected, heard::Exited, heard::TeardownBegan, heard::Tick>;

// A fault strikes now. For Side::worker it is news only: the worker does it itself.
struct Injection {
  int fault = 0;  // place in the plan
  std::int64_t occurrence = 0;
  fault::Kind kind = fault::Kind::kill;
  fault::Value value;
  Generation generation = 0;
  std::optional<LocalRank> local_rank;     // none: the launcher, or the whole group
  std::optional<std::int64_t> step;        // the worker's when struck, where it tells steps
  std::optional<Nanoseconds> since_start;  // of the worker
  fault::Spec replay;  // strikes the same again, whatever the original drew or waited for
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
