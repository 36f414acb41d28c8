// What NCCL's RAS says of the communicators of a group. A witness, not a judge: it counts the
// operations that ranks have launched, so a group that is stuck within one looks healthy to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct RasRank {
  int number = 0;                    // in the communicator
  int pid = 0;                       // 0: RAS did not say
  std::optional<std::int64_t> rank;  // global, where it is known
};

// Ranks that have launched equally many operations of one kind.
struct RasCount {
  std::uint64_t operations = 0;
  int size = 0;                // how many ranks these are
  std::vector<RasRank> ranks;  // which, as far as RAS lists them
};

// An operation that the ranks have launched unequally often.
struct RasMismatch {
  std::string operation;         // "AllReduce"; "collective": all kinds together (NCCL 2.24, 2.25)
  std::vector<RasCount> counts;  // that of the most ranks first
};

struct RasCommunicator {
  std::string id;                // "0xae94423cfbb2ef4a"
  int size = 0;                  // 0: RAS did not say
  std::vector<RasRank> missing;  // RAS could not reach their processes
  std::vector<RasRank> left;     // reached, but no members: not joined yet, or destroyed
  std::vector<RasRank> failed;   // report an error of NCCL
  std::vector<RasMismatch> mismatches;

  bool conspicuous() const {
    return !missing.empty() || !left.empty() || !failed.empty() || !mismatches.empty();
  }
  // Whether the global rank of every rank in it is known, so that one list can have them all.
  bool global() const {
    const auto known = [](const std::vector<RasRank>& ranks) {
      return std::all_of(ranks.begin(), ranks.end(),
                         [](const RasRank& rank) { return rank.rank.has_value(); });
    };
    return known(missing) && known(left) && known(failed) &&
           std::all_of(mismatches.begin(), mismatches.end(), [&](const RasMismatch& mismatch) {
             return std::all_of(mismatch.counts.begin(), mismatch.counts.end(),
                                [&](const RasCount& count) { return known(count.ranks); });
           });
  }
};

}  // namespace ddp::core
