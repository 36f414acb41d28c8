// How the ranks of a group ended, and what they left running. The texts have neither the prefix
// "ddp-launch: " nor a newline. Pure: everything comes in as values.
#pragma once

#include "launcher/core/verdict.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

// "ranks 0, 1 exited with code 0; rank 2 exited with code 1; rank 3 needed SIGKILL": how the ranks
// that got the stop signal ended; empty if none did.
std::string stopped_text(const core::Verdict& verdict, core::GlobalRank first_rank);

// "rank 1 exited with code 0, 1.002 s earlier": ranks that the failed rank may have waited for;
// empty if there are none.
std::string exited_before_text(const core::Verdict& verdict, core::GlobalRank first_rank);

// After a stop request: the first rank that exited with an error. Its last lines show why. None if
// Ctrl-C ended a rank that does not handle it: the others then fail as a consequence.
std::optional<core::LocalRank> raised_while_stopping(const core::Verdict& verdict);

// "pid 12 (sleep 1000) of rank 0, pid 13 (tensorboard) of rank 1 and 7 more".
std::string leftovers_text(const std::vector<core::Leftover>& leftovers,
                           core::GlobalRank first_rank);

// The line while the launcher waits for leftover processes in the linger period.
std::string lingering_text(const std::vector<core::Leftover>& running, core::GlobalRank first_rank,
                           core::Nanoseconds left);

}  // namespace ddp
