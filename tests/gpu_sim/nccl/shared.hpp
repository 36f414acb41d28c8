// What the ranks of a communicator share: a file of /dev/shm, mapped by each. Nothing in it says
// that a rank has died, so no rank sees it, as with NCCL.
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

// Maps the file that `name` names, for `ranks` ranks; `create`: makes it. Null and a reason in
// `why` where that fails; also, without `create`, while there is none.
Shared* map_shared(const std::string& name, int ranks, bool create, std::string& why);
void unmap_shared(Shared* shared, int ranks);

}  // namespace ddp::gpu_sim::nccl
