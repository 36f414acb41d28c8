// What the core asks for. The supervisor carries these out in order; their results come back as
// events.
#pragma once

#include "launcher/core/restart_decision.hpp"
#include "launcher/core/types.hpp"
#include "launcher/core/verdict.hpp"

#include <optional>
#include <variant>
#include <vector>

namespace ddp::core {

// Run the user's check for these ranks, before the attempt begins. Answered by CheckEnded for each,
// unless EndChecks comes first.
struct RunChecks {
  Generation generation = 0;
  std::vector<LocalRank> ranks;
};

// Wait until the devices have released the memory of the last attempt. Answered by DevicesReleased,
// unless EndChecks comes first.
struct AwaitDevices {
  Generation generation = 0;  // that is to follow
};
// Answer AwaitDevices now: the time is over.
struct EndDeviceWait {};

// Kill every process of the checks and of the wait for devices that is left. Answered by CheckEnded
// for each check that still runs, then by ChecksGone.
struct EndChecks {};

// An attempt begins: take a fresh port, open its files. Its workers follow one by one.
struct BeginGeneration {
  Generation generation = 0;
};

// Answered by WorkerStarted or SpawnFailed. Workers are started one at a time, so that a stop
// request can come between any two.
struct SpawnWorker {
  Generation generation = 0;
  LocalRank local_rank = 0;
};

// A stop signal goes to the processes of the rank that --stop-signal-to selects
// (launcher/core/group/stop_scope.hpp), SIGCONT to its process group, SIGKILL to its first
// process: EndGeneration kills the rest.
struct SignalWorker {
  LocalRank local_rank = 0;
  int signal = 0;
};

// Half of a period is over: `signal` goes to every process of the group that has not had it, except
// those that read a pipe and exit with it.
struct SignalRest {
  int signal = 0;
};

// The workers have exited. Answered by DescendantsGone when no process that they left running is
// alive, at once where they left none.
struct AwaitDescendants {
  Generation generation = 0;
};

// Collect the diagnostics of a hung group before it is torn down. Answered by ProcessesSeen, if the
// processes could be examined, and EvidenceTaken; an event that ends it sooner (a worker's exit, a
// stop request, `deadline`) is followed by TeardownBegan.
struct TakeEvidence {
  Generation generation = 0;
  Hang hang;
  TimePoint deadline;
};

// Kill every descendant that is left, drain the pipes, release what the attempt held; each has its
// time limit. Answered by GenerationEnded.
struct EndGeneration {
  Generation generation = 0;
  bool at_once = false;  // processes that read a pipe of the killed get no time to finish
};

// The rest is for the user, the log and the event file.
struct GroupRunning {
  Generation generation = 0;  // every worker is started
};
struct TeardownBegan {
  Cause cause;
  std::vector<LocalRank> waiting_for;
  int signal = 0;  // that they were sent
  TimePoint kill_at;
};
struct TeardownEscalated {  // SIGKILL goes to those named
  std::vector<LocalRank> waiting_for;
  std::optional<int> by_request;  // the stop request's signal; none: the grace period is over
};
// The group waited to restart and will not.
struct RestartGivenUp {
  std::optional<int> by_request;  // the stop request's signal; none: --timeout passed
};
// No attempt follows the checks.
struct ChecksStop {
  enum class Why { refused, late, request, out_of_time, unkillable };
  Why why = Why::refused;
  Generation generation = 0;     // that is not started
  std::vector<LocalRank> ranks;  // refused, late: which
  int signal = 0;                // of the request
};
struct GenerationOver {
  Verdict verdict;
  std::optional<RestartDecision> decision;  // none: the run succeeded
};
struct Finish {
  int exit_code = 0;
};

using Action =
    std::variant<RunChecks, AwaitDevices, EndDeviceWait, EndChecks, ChecksStop, BeginGeneration,
                 SpawnWorker, SignalWorker, SignalRest, AwaitDescendants, TakeEvidence,
                 EndGeneration, GroupRunning, TeardownBegan, TeardownEscalated, RestartGivenUp,
                 GenerationOver, Finish>;
using Actions = std::vector<Action>;

}  // namespace ddp::core
