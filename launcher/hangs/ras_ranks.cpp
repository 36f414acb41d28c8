#include "launcher/hangs/ras_ranks.hpp"

namespace ddp {

void name_ras_ranks(core::RasCommunicator& communicator, const LaunchRanks& launch) {
  const auto name = [&](std::vector<core::RasRank>& ranks) {
    for (auto& rank : ranks) {
      if (communicator.size == launch.world_size) {
        rank.rank = rank.number;
      } else if (launch.one_machine) {
        const auto found = launch.pids.find(rank.pid);
        if (found != launch.pids.end()) rank.rank = found->second;
      }
    }
  };
  for (auto* ranks : {&communicator.missing, &communicator.left, &communicator.failed})
    name(*ranks);
  for (auto& mismatch : communicator.mismatches) {
    for (auto& count : mismatch.counts) name(count.ranks);
  }
}

}  // namespace ddp
