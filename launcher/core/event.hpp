// Everything that happens in a launch, as values: one stream, in the order in which the kernel
// reported it. The supervisor publishes each event once, to observers in a fixed order
// (launcher/supervisor/supervisor.hpp says which and why).
#pragma once

#include "common/faults/worker_faults.hpp"
#include "launcher/core/check.hpp"
#include "launcher/core/device_hold.hpp"
#include "launcher/core/diagnosis.hpp"
#include "launcher/core/exception.hpp"
#include "launcher/core/fault_action.hpp"
#include "launcher/core/hang.hpp"
#include "launcher/core/ras.hpp"
#include "launcher/core/request.hpp"
#include "launcher/core/shared_memory.hpp"
#include "launcher/core/straggler.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ddp::core {

// --- the start of a launch, of an attempt, of a worker

struct StartRequested {};

// The check of a rank has ended.
struct CheckEnded {
  Generation generation = 0;  // the attempt that is to follow
  CheckEnd end;
};

// The answer to AwaitDevices: the devices that were waited for.
struct DevicesReleased {
  Generation generation = 0;
  std::vector<DeviceHold> holds;  // empty: none held any
};

// The answer to EndChecks: no process of a check is left but `survivors`.
struct ChecksGone {
  std::vector<Survivor> survivors;
};

// The attempt has its port; none of its workers is started.
struct GenerationBegan {
  Generation generation = 0;
  std::uint16_t master_port = 0;  // 0: there is none
};

// About to be started.
struct WorkerDue {
  LocalRank local_rank = 0;
};

struct WorkerStarted {
  LocalRank local_rank = 0;
  int pid = 0;
};

struct SpawnFailed {
  LocalRank local_rank = 0;
  SpawnError error;
};

// --- what a worker reports

// READY=1: it is initialised.
struct WorkerReady {
  LocalRank local_rank = 0;
};

// WATCHDOG=1.
struct WorkerHeartbeat {
  LocalRank local_rank = 0;
};

// X_DDP_STEP: it finished this step.
struct WorkerStep {
  LocalRank local_rank = 0;
  std::int64_t step = 0;
  std::optional<double> busy_seconds =
      std::nullopt;                           // the metric of this name, if reported with it
  std::optional<double> loss = std::nullopt;  // likewise; may be nan or infinite
};

// X_DDP_TOTAL_STEPS: with which step it will be done.
struct WorkerTotalSteps {
  LocalRank local_rank = 0;
  std::int64_t total = 0;
};

// X_DDP_PHASE.
struct WorkerPhase {
  LocalRank local_rank = 0;
  std::string phase;
};

// X_DDP_DIGEST.
struct WorkerDigest {
  LocalRank local_rank = 0;
  std::string digest;
};

// X_DDP_FAULT: it is about to inject a fault into itself.
struct WorkerInjects {
  LocalRank local_rank = 0;
  fault::InjectionId id;
};

// A line of output; published only while an observer wants lines, valid only during the call.
struct WorkerLine {
  LocalRank local_rank = 0;
  std::string_view line;
};

// The preloader is gone: workers start the ordinary way from now on.
struct PreloadLost {
  int pid = 0;
  std::string why;
};

struct WorkerExited {
  LocalRank local_rank = 0;
  ExitStatus status;
  bool oom_killed = false;  // by the kernel's OOM killer, as far as the system shows
};

// --- hangs

// A limit of HangWatch is exceeded.
struct HangDetected {
  Hang hang;
};

// What the processes of a hung group do.
struct ProcessesSeen {
  Generation generation = 0;
  std::vector<ProcessPicture> processes;  // by local rank
};

// Something was done to examine a rank (proc, signal, flight_recorder, on_hang).
struct DiagnosticsKept {
  LocalRank local_rank = 0;
  std::string what;
  std::string file;  // empty: none
  std::string outcome;
};

// NCCL's RAS was asked about the group of this machine.
struct RasAnswered {
  std::string file;  // empty: none
  std::string outcome;
  std::vector<RasCommunicator> communicators;
};

// The answer to TakeEvidence: as much as could be found out in time.
struct EvidenceTaken {
  Generation generation = 0;
};

// For the failure report of a hang.
struct HangExplained {
  std::vector<std::string> stack;  // of the root cause
  std::string where;               // a sentence on where the rest is; empty: nothing was kept
};

struct StragglerFound {
  Straggler straggler;
};

// --- faults

// A fault is triggered; what it does follows.
struct FaultTriggered {
  Injection injection;
};

// It is carried out, or the system refused it.
struct FaultInjected {
  Injection injection;
  TimePoint at;         // when it was triggered
  std::string refused;  // why; empty: it is carried out
};

// A lasting fault is over.
struct FaultUndone {
  int fault = 0;  // place in the plan
  fault::Kind kind = fault::Kind::stop;
  std::optional<LocalRank> local_rank;
  std::string_view by;  // time, teardown, exit or another
};

// --- other machines

// Another machine of the job was started differently: the ranks would wait for each other.
struct PeerDisagrees {
  std::string what;
};

// --- requests, and the end

// ddpctl asked for something that is about to be done.
struct ControlRequested {
  std::string command;
  Requester by;
  std::vector<LocalRank> ranks;  // empty: it is for the whole group
  std::string detail;            // a signal, a fault; empty: none
};

// A rank is about to be sent this signal on request.
struct SignalRequested {
  LocalRank local_rank = 0;
  RequestedSignal signal;
};

// The group is to be restarted, whatever restarts are left.
struct RestartRequested {
  Requester by;
};

// A fault is added to the plan; its place is behind the others.
struct FaultAdded {
  fault::Spec spec;
};

// SIGINT, SIGTERM, SIGHUP or SIGQUIT to the launcher, or its parent's death.
struct StopRequested {
  int signal = 0;
};

// The keeper was killed; a stop request follows.
struct KeeperGone {};

// The launcher and the workers were stopped for this long (Ctrl-Z … fg): no deadline ran meanwhile.
struct Suspended {
  Nanoseconds duration{};
};

// The answer to AwaitDescendants: what the ranks had left running has exited by itself.
struct DescendantsGone {
  Generation generation = 0;
};

// No process of the attempt is left but `survivors`. Their output is not drained yet.
struct ProcessesGone {
  std::vector<Survivor> survivors;
  std::vector<Leftover> killed;  // what the ranks had left running
};

// What the ranks left in /dev/shm, and what became of it.
struct SharedMemoryLeft {
  std::vector<ReportedSegment> segments;
};

// The answer to EndGeneration: nothing of the attempt is left but `survivors`.
struct GenerationEnded {
  std::vector<Survivor> survivors;
  std::vector<Leftover> killed;
};

// The Python exception behind the end of the attempt that is over.
struct ExceptionFound {
  RankException exception;  // of the root cause; its text is empty: only `earlier` is known
  // The first rank that recorded an exception before the root cause did, or else before it exited.
  std::optional<EarlierException> earlier;
};

// The failure of an attempt that is over, in words; the next one may be running.
struct DiagnosisMade {
  Generation generation = 0;
  Diagnosis diagnosis;
};

// A deadline has come (or may have: an early tick does nothing).
struct Tick {};

using Event = std::variant<
    StartRequested, CheckEnded, ChecksGone, DevicesReleased, GenerationBegan, WorkerDue,
    WorkerStarted, SpawnFailed, WorkerReady, WorkerHeartbeat, WorkerStep, WorkerTotalSteps,
    WorkerPhase, WorkerDigest, WorkerInjects, WorkerLine, PreloadLost, WorkerExited, HangDetected,
    ProcessesSeen, DiagnosticsKept, RasAnswered, EvidenceTaken, HangExplained, StragglerFound,
    FaultTriggered, FaultInjected, FaultUndone, PeerDisagrees, ControlRequested, SignalRequested,
    RestartRequested, FaultAdded, StopRequested, KeeperGone, Suspended, DescendantsGone,
    ProcessesGone, SharedMemoryLeft, GenerationEnded, ExceptionFound, DiagnosisMade, Tick>;

}  // namespace ddp::core
