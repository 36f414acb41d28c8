// The lines about shared memory that ranks left behind.
#pragma once

#include "launcher/core/processes/shared_memory.hpp"

#include <string>
#include <vector>

namespace ddp {

struct ReportedSegment {
  core::Segment segment;
  bool removed = false;
  std::string failure;  // why it could not be removed, where that was tried
};

// Lines without their ends. The first few of each outcome are named, the rest is summed up.
// `first_rank` is the global rank of local rank 0.
std::vector<std::string> shared_memory_lines(const std::vector<ReportedSegment>& segments,
                                             core::CleanSharedMemory policy, int first_rank);

// "64 MiB", "1.5 GiB", "512 bytes".
std::string memory_size(std::uint64_t bytes);

}  // namespace ddp
