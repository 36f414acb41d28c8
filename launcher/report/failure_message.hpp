// The failure report: root cause first, then the last lines of that rank, then the ranks that
// ddp-launch stopped. Pure: everything comes in as values.
#pragma once

#include "launcher/core/event.hpp"
#include "launcher/core/exception.hpp"
#include "launcher/core/group/restart_policy.hpp"
#include "launcher/core/verdict.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

struct VerdictContext {
  core::GlobalRank first_rank;  // of local rank 0
  int max_restarts = 0;
  std::string program;            // as the user gave it
  std::string local_time;         // when the cause was detected, in local time
  std::vector<std::string> tail;  // the last lines of the rank that is the root cause
  core::RankException exception;  // that ended it, or a rank that was stopped; no text: none
  std::optional<core::EarlierException> earlier;  // of another rank
  std::vector<std::string> diagnosis;             // diagnosis_lines(); empty: none
  std::string hint;                               // advice that follows from them; empty: none
  std::string injected;  // the fault that caused the failure, as typed; empty: none
  std::vector<core::LocalRank> ended_alike;  // other ranks that faults ended
  // Of a hang: the stack of that rank, and where the other diagnostics are.
  std::vector<std::string> stack;
  std::vector<std::string> witness;  // what NCCL's RAS says, a line each
  std::string evidence;
  bool colour = false;
};

// What happened, as the report begins: "rank 1 exited with code 4".
std::string cause_text(const core::Cause& cause, core::GlobalRank first_rank,
                       const std::string& program);

// The line while the launcher waits for processes that are still alive after SIGKILL.
std::string dying_text(const std::vector<core::Survivor>& remaining, core::GlobalRank first_rank,
                       core::Nanoseconds left);
// The failure report of an attempt: lines, each ending in a newline; empty after a success.
std::string verdict_text(const core::Verdict& verdict, const VerdictContext& context);

// What follows a failure: "restarting the group in 1 s", or why there is no restart; empty without
// --max-restarts.
std::string decision_text(const core::RestartDecision& decision, const core::Verdict& verdict,
                          const VerdictContext& context);

// "0-3, 7" of local ranks, as global ranks.
std::string rank_list(const std::vector<core::LocalRank>& local_ranks, core::GlobalRank first_rank);
// "rank 7", "ranks 0-3, 7".
std::string ranks_text(const std::vector<core::LocalRank>& local_ranks,
                       core::GlobalRank first_rank);

// "ddpctl (pid 12, user ann)".
std::string requester_text(const core::Requester& by);
// The line of a request: "ddpctl (pid 12, user ann): kill rank 2".
std::string control_text(const core::ControlRequested& request, core::GlobalRank first_rank);

// "exited with code 3", "was killed by SIGSEGV (core dumped)".
std::string status_text(const core::ExitStatus& status);

// The line while the launcher waits in a teardown: why it began and which ranks still run.
// `interrupted`: it began with a Ctrl-C, so that the next Ctrl-C kills.
std::string waiting_text(const core::Cause& cause, const std::vector<core::LocalRank>& local_ranks,
                         core::Nanoseconds left, bool interrupted, const VerdictContext& context);

}  // namespace ddp
