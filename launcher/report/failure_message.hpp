// The end of a generation in a few lines for a reader in a hurry: root cause first, then that
// rank's last lines, then those that ddp-launch itself stopped. Pure: everything comes in as
// values.
#pragma once

#include "launcher/core/group/restart_policy.hpp"
#include "launcher/core/group/verdict.hpp"

#include <string>
#include <vector>

namespace ddp {

struct VerdictContext {
  int first_rank = 0;  // the global rank of local rank 0
  int max_restarts = 0;
  std::string program;            // as the user gave it
  std::string local_time;         // when the cause was seen, by the reader's clock
  std::vector<std::string> tail;  // the blamed rank's last lines
  std::string hint;               // what they point to; empty: nothing
  std::string injected;           // the fault behind the failure, as it is typed; empty: none
  std::vector<core::LocalRank> ended_alike;  // other ranks that faults ended
  // Of a hang: the blamed rank's stack, and what became of the rest of the evidence.
  std::vector<std::string> stack;
  std::string evidence;
  bool colour = false;
};

// Lines, each ending in a newline; empty for a run that succeeded.
std::string dying_text(const std::vector<core::Survivor>& remaining, int first_rank,
                       core::Nanoseconds left);
std::string verdict_text(const core::Verdict& verdict, const VerdictContext& context);

// What comes next after a failure: "restarting the group (restart 1 of 3)…"; empty when no restart
// was asked for.
std::string decision_text(const core::RestartDecision& decision, const core::Verdict& verdict,
                          const VerdictContext& context);

// "0-3, 7" of local ranks, as global ranks.
std::string rank_list(const std::vector<core::LocalRank>& local_ranks, int first_rank);
// "rank 7", "ranks 0-3, 7".
std::string ranks_text(const std::vector<core::LocalRank>& local_ranks, int first_rank);

// "exited with code 3", "was killed by SIGSEGV (core dumped)".
std::string status_text(const core::ExitStatus& status);

// The line that tells why a teardown began and who is waited for. `interrupted`: by a Ctrl-C, of
// which the next one kills.
std::string waiting_text(const core::Cause& cause, const std::vector<core::LocalRank>& local_ranks,
                         core::Nanoseconds left, bool interrupted, const VerdictContext& context);

}  // namespace ddp
