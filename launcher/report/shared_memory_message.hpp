// The report of shared memory that ranks left behind.
#pragma once

#include "launcher/core/shared_memory.hpp"

#include <string>
#include <vector>

namespace ddp {

// Lines without a newline. They name the first few segments of each outcome and sum up the rest.
// `first_rank` is the global rank of local rank 0.
std::vector<std::string> shared_memory_lines(const std::vector<core::ReportedSegment>& segments,
                                             core::CleanSharedMemory policy,
                                             core::GlobalRank first_rank);

}  // namespace ddp
