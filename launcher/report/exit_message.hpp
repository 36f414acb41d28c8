// How the ranks of a group ended, and what they left running, in words without "ddp-launch: " and
// without a line's end. Pure: everything comes in as values.
#pragma once

#include "launcher/core/group/verdict.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

// "ranks 0, 1 exited with code 0; rank 2 exited with code 1; rank 3 needed SIGKILL": how the ranks
// that were asked to stop did so; empty where none was.
std::string stopped_text(const core::Verdict& verdict, int first_rank);

// "rank 1 had exited with code 0, 1.002 s before": ranks that the one which failed may have needed;
// empty where there are none.
std::string exited_before_text(const core::Verdict& verdict, int first_rank);

// After a stop request: the first rank that exited with an error of its own, whose last lines tell
// why.
std::optional<core::LocalRank> raised_while_stopping(const core::Verdict& verdict);

// "pid 12 (sleep 1000) of rank 0, pid 13 (tensorboard) of rank 1 and 7 more".
std::string leftovers_text(const std::vector<core::Leftover>& leftovers, int first_rank);

// What the ranks left running and how long it may go on.
std::string lingering_text(const std::vector<core::Leftover>& running, int first_rank,
                           core::Nanoseconds left);

}  // namespace ddp
