// Why a generation ended: the root cause, and what became of every worker.
#pragma once

#include "launcher/core/hangs/hang.hpp"
#include "launcher/core/types.hpp"

#include <optional>
#include <variant>
#include <vector>

namespace ddp::core {

// Why the group had to go: the first of these that happened.
struct WorkerFailed {
  LocalRank local_rank = 0;
  ExitStatus status;
  bool oom_killed = false;
};
struct WorkerNotStarted {
  LocalRank local_rank = 0;
  SpawnError error;
};
struct StoppedBySignal {
  int signal = 0;
  std::optional<int> graceful_exit_code;  // of a run whose ranks all exit 0 then; none: 128+n
};
// A worker exited 0 while others still ran, under `--early-exit fail`.
struct ExitedEarly {
  LocalRank local_rank = 0;
  Nanoseconds allowed{};  // for how long the others could have run on
};
// The group lived and did not get on.
struct Hung {
  Hang hang;
  std::optional<LocalRank> local_rank;  // to blame, where one is
};
using Cause = std::variant<WorkerFailed, WorkerNotStarted, StoppedBySignal, ExitedEarly, Hung>;

// One worker's part in a generation.
struct WorkerOutcome {
  LocalRank local_rank = 0;
  int pid = 0;                       // 0: never started
  std::optional<TimePoint> started;  // when its exec had succeeded
  std::optional<TimePoint> ready;    // first READY=1
  std::optional<std::int64_t> last_step;
  std::optional<TimePoint> ended;
  std::optional<ExitStatus> status;
  bool oom_killed = false;
  bool stopped_by_launcher =
      false;                 // it was told to go before it went: a consequence, never a cause
  int last_signal_sent = 0;  // the launcher's last signal to it, 0 for none
};

struct Verdict {
  Generation generation = 0;
  TimePoint began;                  // when its launching began
  std::optional<TimePoint> failed;  // when the cause was seen
  std::optional<TimePoint> ended;   // when nothing was left
  std::optional<Cause> cause;       // none: every worker succeeded
  std::vector<WorkerOutcome> workers;
  std::vector<Survivor> survivors;
  std::vector<Leftover> killed;  // what the ranks had left running
};

// Section "Exit codes" of docs/design.md, for a run that ends with this generation.
int exit_code_of(const Verdict& verdict);

// Whether every rank that was started has exited with code 0.
bool all_exited_0(const Verdict& verdict);

// The rank that is to blame, if the cause is one.
std::optional<LocalRank> root_cause_rank(const Cause& cause);

}  // namespace ddp::core
