// What the ranks of a communicator share: memory of rank 0, mapped by each. Nothing in it says that
// a rank has died, so no rank sees it, as with NCCL. It has no name in a file system: nothing is
// left.
#pragma once

#include <nccl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace ddp::gpu_sim::nccl {

inline constexpr std::size_t kChunkBytes = std::size_t{1} << 18;

enum class Kind : std::uint32_t { all_reduce, broadcast };

// What a rank calls: the same on every rank, or it is a misuse.
struct Call {
  Kind kind;
  ncclDataType_t type;
  std::uint64_t count;
  int root;  // of a broadcast
  bool operator==(const Call&) const = default;
};

// Written by one rank, read by all.
struct Slot {
  std::atomic<std::uint64_t> arrived;   // barriers that this rank has come to
  std::atomic<std::uint64_t> begun[2];  // collectives, by their kind
  std::uint64_t host;                   // a hash of NCCL_HOSTID, or of this machine
  int device;                           // its number on this machine
  int pid;
  Call call;  // of the collective under way
  alignas(64) unsigned char data[kChunkBytes];
};

struct Shared {
  std::atomic<int> attached;
  Slot slots[1];  // one for each rank
};

// Makes it, and returns the name by which the ranks find it as long as this process lives. Empty
// where that fails.
std::string make_shared();
// Maps it for `ranks` ranks; `size_it`: gives it its size first. Null and a reason in `why` where
// that fails; also, without `size_it`, while it has no size.
Shared* map_shared(const std::string& name, int ranks, bool size_it, std::string& why);

}  // namespace ddp::gpu_sim::nccl
