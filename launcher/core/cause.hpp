// Why an attempt ends before its workers have succeeded, and everything about such a reason that
// does not depend on the attempt: its name, its exit code, whether it is a failure, whether a rank
// is the root cause, and how it shows.
//
// A new reason is a struct in Cause, a row in cause.cpp, the event in group.cpp that leads to it
// and a test. What does not compile then is its sentence in launcher/report/failure_message.cpp.
#pragma once

#include "launcher/core/hang.hpp"
#include "launcher/core/request.hpp"
#include "launcher/core/types.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace ddp::core {

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
// The group is alive and makes no progress.
struct Hung {
  Hang hang;
  std::optional<LocalRank> local_rank;  // the root cause, where one is known
};
// The machines of the job were not started alike.
struct MachinesDisagree {
  std::string what;
};
// A user asked for a new attempt. It follows whatever restarts are left.
struct RestartedByRequest {
  Requester by;
};
using Cause = std::variant<WorkerFailed, WorkerNotStarted, StoppedBySignal, ExitedEarly, Hung,
                           MachinesDisagree, RestartedByRequest>;

// How a cause shows. Which fault may be behind it follows from this.
enum class Symptom {
  none,         // nothing failed
  exit,         // a rank exited or was killed: exit_status_of()
  not_started,  // the system did not start a rank
  hang,
};

struct CauseTraits {
  std::string_view name;         // in a plan and in reports; empty: follows from how it ended
  bool failure = true;           // not a failure: a request
  std::optional<int> exit_code;  // none: follows from how it ended
  Symptom symptom = Symptom::none;
};
const CauseTraits& traits(const Cause& cause);

inline bool is_failure(const Cause& cause) { return traits(cause).failure; }

// "SIGKILL", "exit 3", "out of memory", "not started", "early exit", "hang": how a plan names a
// root cause, and events.jsonl and JUnit report it.
std::string cause_name(const Cause& cause);
// Whether cause_name() can return this.
bool is_cause_name(std::string_view name);
// All of them: "a signal such as SIGKILL, exit 0 to exit 255, out of memory, … or hang".
std::string cause_names();

// Of the run. `all_exited_0`: every rank that was started exited with code 0.
int exit_code_of(const Cause& cause, bool all_exited_0);

// The rank that is the root cause, if one is.
std::optional<LocalRank> root_cause_rank(const Cause& cause);
// How that rank ended, where its exit is the symptom.
std::optional<ExitStatus> exit_status_of(const Cause& cause);
// Whether the kernel's out-of-memory killer killed that rank.
bool is_oom_kill(const Cause& cause);
// For how long the group had made no progress when the cause was detected; none: it is not known.
std::optional<Nanoseconds> standstill(const Cause& cause);

}  // namespace ddp::core
