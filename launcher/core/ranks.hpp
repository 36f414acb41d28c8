// How ranks are numbered. A worker has a local rank on its machine, 0 … nproc-1; users read and
// write its global rank, 0 … world size-1. The two are different types, so that one is never taken
// for the other.
#pragma once

#include <compare>
#include <optional>
#include <string>

namespace ddp::core {

using LocalRank = int;

struct GlobalRank {
  int value = 0;
  friend auto operator<=>(const GlobalRank&, const GlobalRank&) = default;
};

// Of a local rank, where the first of its machine is `first`.
constexpr GlobalRank global_rank(GlobalRank first, LocalRank local) {
  return {first.value + local};
}

inline std::string to_string(GlobalRank rank) { return std::to_string(rank.value); }

// The ranks of this machine among those of all machines. Every machine runs equally many.
struct RankGroup {
  int nproc = 1;      // workers on this machine
  int nnodes = 1;     // machines
  int node_rank = 0;  // number of this machine, 0 … nnodes-1

  int world_size() const { return nproc * nnodes; }
  GlobalRank first_rank() const { return {node_rank * nproc}; }
  GlobalRank global(LocalRank rank) const { return global_rank(first_rank(), rank); }
  // None: a rank of another machine.
  std::optional<LocalRank> local(GlobalRank rank) const {
    const LocalRank local_rank = rank.value - first_rank().value;
    return local_rank >= 0 && local_rank < nproc ? std::optional(local_rank) : std::nullopt;
  }
  bool is_whole_world() const { return nnodes == 1; }

  friend bool operator==(const RankGroup&, const RankGroup&) = default;
};

}  // namespace ddp::core
