#include "launcher/core/group/verdict.hpp"

#include "common/overloaded.hpp"
#include "launcher/core/group/exit_code.hpp"

#include <algorithm>

namespace ddp::core {

int exit_code_of(const Verdict& verdict) {
  if (!verdict.survivors.empty()) return kUnkillable;
  if (!verdict.cause) return kSuccess;
  return std::visit(Overloaded{
                        [](const WorkerFailed& failed) { return exit_code_of(failed.status); },
                        [](const WorkerNotStarted& failed) { return exit_code_of(failed.error); },
                        [&](const StoppedBySignal& stopped) {
                          const int by_signal = kSignalBase + stopped.signal;
                          return all_exited_0(verdict)
                                     ? stopped.graceful_exit_code.value_or(by_signal)
                                     : by_signal;
                        },
                        // The worker itself succeeded; it is the group that did not. 1 is what a
                        // shell's `false` says.
                        [](const ExitedEarly&) { return 1; },
                        [](const Hung&) -> int { return kHung; },
                    },
                    *verdict.cause);
}

bool all_exited_0(const Verdict& verdict) {
  return std::all_of(verdict.workers.begin(), verdict.workers.end(), [](const auto& worker) {
    return worker.pid == 0 || (worker.status && succeeded(*worker.status));
  });
}

std::optional<LocalRank> root_cause_rank(const Cause& cause) {
  return std::visit(
      Overloaded{
          [](const StoppedBySignal&) -> std::optional<LocalRank> { return std::nullopt; },
          [](const auto& with_rank) -> std::optional<LocalRank> { return with_rank.local_rank; },
      },
      cause);
}

}  // namespace ddp::core
