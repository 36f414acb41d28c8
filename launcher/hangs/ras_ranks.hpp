// Which ranks of the launch those are that NCCL's RAS lists. Pure.
#pragma once

#include "launcher/core/ras.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace ddp {

struct LaunchRanks {
  int world_size = 1;
  bool one_machine = true;           // all ranks are on this one
  std::map<int, std::int64_t> pids;  // of this machine's ranks that run: pid and global rank
};

// Fills in the global ranks where they are certain. A communicator of all ranks numbers them as the
// launch does. Of another one the ranks are known by their pids, but only where the launch has no
// other machine: the same pids are in use there, and RAS lists the ranks of all.
void name_ras_ranks(core::RasCommunicator& communicator, const LaunchRanks& launch);

}  // namespace ddp
