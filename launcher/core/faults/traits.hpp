// What each kind of fault can do to its rank and to others, as one row per kind. The grammar's row
// is in common/faults/spec.cpp; this one has what the launcher needs: which failure a fault may be
// behind (attribution.hpp), and what is undone or adds up (lasting_faults.hpp).
#pragma once

#include "common/faults/spec.hpp"
#include "launcher/core/types.hpp"

#include <array>
#include <csignal>

namespace ddp::core {

// How the rank of a fault exits because of it.
enum class FaultExit {
  none,
  signal,        // killed by FaultTraits::signal
  value_signal,  // killed by the signal that is the fault's value
  value_code,    // with the exit code that is the fault's value
};

// How the rank of a fault may exit as a consequence that the fault alone does not decide.
struct Consequences {
  bool exit = false;             // by itself, with an exit code other than 0
  bool exit_0 = false;           // by itself, with 0
  bool oom_kill = false;         // by the kernel's out-of-memory killer
  std::array<int, 3> signals{};  // killed by one of these; 0: no further one
};

// Whether other ranks may exit as a consequence.
enum class PeersExit {
  never,     // the rank is slower or limited, and only that
  if_rank,   // once the rank has exited
  possible,  // they wait for it, or get its wrong data
};

// Whether the group may hang as a consequence.
enum class HangBehind { never, possible, certain };

struct FaultTraits {
  fault::Kind kind = fault::Kind::kill;
  FaultExit exit = FaultExit::none;
  int signal = 0;  // of FaultExit::signal
  Consequences may;
  PeersExit peers = PeersExit::never;
  HangBehind hang = HangBehind::possible;
  bool not_started = false;         // the system refuses to start the rank
  bool at_once = false;             // the launcher ends the rank itself: no teardown comes first
  bool lasts_for_value = false;     // over after the duration that is its value
  bool adds_up = false;             // two of it hold a rank until both are over
  bool stops_process = false;       // the rank's processes are stopped while it lasts
  bool throttles = false;           // the launcher stops and continues the rank in turn
  bool undone_at_teardown = false;  // other lasting faults end with their rank
  bool loses_record = false;        // the supervisor's record of the run ends with it
};

const FaultTraits& traits(fault::Kind kind);

}  // namespace ddp::core
