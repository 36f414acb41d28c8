// What NCCL's RAS says of a hung group, for people. Pure.
#pragma once

#include "launcher/core/ras.hpp"

#include <string>
#include <vector>

namespace ddp {

// "rank 2 has launched 41 AllReduce operations, the others 42; rank 3 is missing". Empty if there
// is nothing conspicuous.
std::string ras_text(const core::RasCommunicator& communicator);

// For the failure report: the first conspicuous communicators, a line each, at most two.
std::vector<std::string> ras_lines(const std::vector<core::RasCommunicator>& communicators);

// How a communicator's ranks are numbered here, in every list alike: "global" where the global rank
// of each of them is known, else "communicator".
std::string ras_numbering(const core::RasCommunicator& communicator);

// "1,3": ranks of the communicator, numbered so.
std::string ras_rank_list(const core::RasCommunicator& communicator,
                          const std::vector<core::RasRank>& ranks);

}  // namespace ddp
