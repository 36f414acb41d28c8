// How an attempt ended: the root cause, and how every worker ended.
#pragma once

#include "launcher/core/cause.hpp"
#include "launcher/core/request.hpp"
#include "launcher/core/types.hpp"

#include <optional>
#include <vector>

namespace ddp::core {

// One worker in one attempt.
struct WorkerOutcome {
  LocalRank local_rank = 0;
  int pid = 0;                       // 0: never started
  std::optional<TimePoint> started;  // when its exec had succeeded
  std::optional<TimePoint> ready;    // first READY=1
  std::optional<std::int64_t> last_step;
  std::optional<TimePoint> ended;
  std::optional<ExitStatus> status;
  bool oom_killed = false;
  bool stopped_by_launcher = false;  // sent a stop signal before it exited: never the root cause
  int last_signal_sent = 0;          // the launcher's last signal to it, 0 for none
  std::optional<RequestedSignal> requested;  // the last one that a user had sent to it
};

struct Verdict {
  Generation generation = 0;
  TimePoint began;                  // when its launching began
  std::optional<TimePoint> failed;  // when the cause was detected
  std::optional<TimePoint> ended;   // when no process was left
  std::optional<Cause> cause;       // none: every worker succeeded
  std::vector<WorkerOutcome> workers;
  std::vector<Survivor> survivors;
  std::vector<Leftover> killed;  // processes that the ranks left running
};

// For a run that ends with this attempt; exit_code.hpp has the table.
int exit_code_of(const Verdict& verdict);

// Whether every rank that was started has exited with code 0.
bool all_exited_0(const Verdict& verdict);

}  // namespace ddp::core
