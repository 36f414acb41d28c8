// What can happen to a group. The supervisor translates the system's news into these, one at a
// time, in the order the kernel reported them.
#pragma once

#include "launcher/core/hangs/hang.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace ddp::core {

struct StartRequested {};

struct WorkerStarted {
  LocalRank local_rank = 0;
  int pid = 0;
};

struct SpawnFailed {
  LocalRank local_rank = 0;
  SpawnError error;
};

// READY=1: the worker says that it is initialised.
struct WorkerReady {
  LocalRank local_rank = 0;
};

// X_DDP_STEP: the worker finished this step.
struct WorkerStep {
  LocalRank local_rank = 0;
  std::int64_t step = 0;
};

struct WorkerExited {
  LocalRank local_rank = 0;
  ExitStatus status;
  bool oom_killed = false;  // the kernel's out-of-memory killer took it, as far as the system shows
};

// A limit of HangWatch is exceeded.
struct HangDetected {
  Hang hang;
};

// What the processes of a hung group do.
struct ProcessesSeen {
  Generation generation = 0;
  std::vector<ProcessPicture> processes;  // by local rank
};

// The answer to TakeEvidence: as much as could be found out in time.
struct EvidenceTaken {
  Generation generation = 0;
};

// The answer to AwaitDescendants: what the ranks had left running has ended by itself.
struct DescendantsGone {
  Generation generation = 0;
};

// SIGINT, SIGTERM, SIGHUP or SIGQUIT to the launcher, or its parent's death.
struct StopRequested {
  int signal = 0;
};

// The launcher and the workers were stopped for this long (Ctrl-Z … fg): no deadline ran meanwhile.
struct Suspended {
  Nanoseconds duration{};
};

// The answer to EndGeneration: nothing of the generation is left but `survivors`.
struct GenerationEnded {
  std::vector<Survivor> survivors;
  std::vector<Leftover> killed;  // what the ranks had left running
};

// The deadline of Group::next_deadline() has come (or may have: an early tick does nothing).
struct Tick {};

using Event = std::variant<StartRequested, WorkerStarted, SpawnFailed, WorkerReady, WorkerStep,
                           WorkerExited, HangDetected, ProcessesSeen, EvidenceTaken,
                           DescendantsGone, StopRequested, Suspended, GenerationEnded, Tick>;

}  // namespace ddp::core
