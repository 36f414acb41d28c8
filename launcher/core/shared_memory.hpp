// Shared memory that the ranks of an attempt left behind: which rank owns it, and whether it is
// removed.
#pragma once

#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ddp::core {

// --clean-shm: which segments that are proven to be a rank's are removed. Others never are.
enum class CleanSharedMemory {
  none,
  generated,  // those whose name no later process can know
  all,        // also those with a name that the program chose and a later attempt might open
};

// What shows that a segment is a rank's.
enum class SegmentProof {
  none,
  seen,         // a process of the rank had it mapped or open
  pid_in_name,  // the name carries the pid of such a process
};

const char* name_of(SegmentProof proof);

struct Segment {
  std::string path;
  std::uint64_t bytes = 0;        // of memory, not of length
  std::optional<LocalRank> rank;  // with a proof
  SegmentProof proof = SegmentProof::none;
  bool generated_name = false;
  bool maybe_used = false;  // by a process that may not be inspected
  // Which file it was when it was found.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

// What became of a segment.
struct ReportedSegment {
  Segment segment;
  bool removed = false;
  std::string failure;  // why it could not be removed, where that was tried
};

// Whether a file's name is one that a library has made up at random, so that only processes that
// were handed it can use it:
//   psm_<8 hex digits>                  Python, multiprocessing.shared_memory
//   sem.mp-<8 of a-z 0-9 _>             Python, multiprocessing's locks
//   pym-<pid>-<8 of a-z 0-9 _>          Python, multiprocessing.heap
//   torch_<pid>_<number>[_<number>]     PyTorch, tensors that are shared between processes
//   nccl-<6 letters and digits>         NCCL
//   cuda.shm.<hex>.<hex>.<hex>          CUDA's driver
bool is_generated_name(std::string_view name);

// The pid of the process that made it, in the PID namespace where it ran: of torch_ and pym- names.
std::optional<int> pid_in_name(std::string_view name);

bool is_to_be_removed(const Segment& segment, CleanSharedMemory policy);

}  // namespace ddp::core
