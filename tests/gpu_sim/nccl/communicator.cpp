#include "tests/gpu_sim/nccl/communicator.hpp"

#include "tests/gpu_sim/runtime/device.hpp"
#include "tests/gpu_sim/runtime/memory.hpp"
#include "tests/gpu_sim/runtime/misuse.hpp"
#include "tests/gpu_sim/runtime/settings.hpp"
#include "tests/gpu_sim/runtime/stream.hpp"
#include "worker/base/random.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

namespace {

using namespace ddp::gpu_sim;
using namespace ddp::gpu_sim::nccl;

constexpr std::chrono::microseconds kPause{50};

std::size_t size_of(ncclDataType_t type) {
  return type == ncclDouble ? 8 : type == ncclFloat ? 4 : 1;
}

std::string text_of(const Call& call) {
  return (call.kind == Kind::all_reduce ? std::string("ncclAllReduce")
                                        : "ncclBroadcast from " + std::to_string(call.root)) +
         " of " + std::to_string(call.count) + " values of " + std::to_string(size_of(call.type)) +
         " bytes";
}

bool due(const std::optional<Moment>& moment, std::uint64_t count) {
  return moment && moment->rank == settings().rank && moment->count == count;
}

}  // namespace

ncclComm::Entry::Entry(ncclComm& comm) : comm_(comm) {
  if (comm_.entered_.test_and_set()) misuse("two threads are in one communicator");
}

ncclComm::ncclComm(int ranks, const std::string& name, int rank)
    : rank_(rank), ranks_(ranks), device_(current_device()), random_(settings().seed) {
  begin(Phase::connecting);
  connecting_ = std::thread([this, name] { connect(name); });
}

// Retries until abort(), as a rank that waits for one that never comes does.
void ncclComm::connect(const std::string& name) {
  Shared* shared = nullptr;
  std::string why;
  while ((shared = map_shared(name, ranks_, rank_ == 0, why)) == nullptr && !aborted_) {
    if (rank_ == 0) {
      last_error_ = why;
      failed_ = ncclSystemError;
      return;
    }
    std::this_thread::sleep_for(kPause);
  }
  if (shared != nullptr) {
    const char* const host = std::getenv("NCCL_HOSTID");
    Slot& own = shared->slots[rank_];
    own.host = std::hash<std::string>()(host == nullptr ? "" : host);
    own.device = settings().devices[static_cast<std::size_t>(device_)];
    own.pid = ::getpid();
    shared->attached.fetch_add(1);
    while (shared->attached.load() < ranks_ && !aborted_) std::this_thread::sleep_for(kPause);
  }
  shared_ = shared;
  if (aborted_) return;
  last_error_ = shared_device();
  if (!last_error_.empty()) failed_ = ncclInvalidUsage;
  connected_ = true;
}

// NCCL 2.28 asks for another host, from 2.30 on a variable allows it (init.cc of both).
std::string ncclComm::shared_device() const {
  constexpr int kHasMultiRank = 23000;
  const bool knows_variable = settings().nccl_version >= kHasMultiRank;
  const char* const enabled = std::getenv("NCCL_MULTI_RANK_GPU_ENABLE");
  if (knows_variable && enabled != nullptr && std::strcmp(enabled, "0") != 0) return {};
  for (int a = 0; a < ranks_; ++a) {
    for (int b = 0; b < a; ++b) {
      if (slot(a).host != slot(b).host || slot(a).device != slot(b).device) continue;
      if (knows_variable)
        return "Multiple Ranks are using the same GPU/Partition. Set "
               "NCCL_MULTI_RANK_GPU_ENABLE=1 to enable this configuration.";
      return "Duplicate GPU detected : rank " + std::to_string(a) + " and rank " +
             std::to_string(b) + " both on CUDA device " + std::to_string(slot(a).device);
    }
  }
  return {};
}

void ncclComm::require_idle(const char* what) const {
  if (phase_ != Phase::idle) misuse(std::string(what) + " on a communicator that is in progress");
}

void ncclComm::begin(Phase phase) {
  constexpr std::uint64_t kMostPolls = 6;
  phase_ = phase;
  polls_left_ = static_cast<int>(ddp::worker::mix(random_++) % kMostPolls);
}

ncclResult_t ncclComm::collective(Kind kind, const void* from, void* to, std::size_t count,
                                  ncclDataType_t type, int root, cudaStream_t stream) {
  require_idle("a collective");
  if (failed_ != ncclSuccess) return failed_;
  const std::size_t size = count * size_of(type);
  for (const void* const buffer : {from, static_cast<const void*>(to)})
    if (device_of(buffer, size) != device_) misuse("a buffer of a collective is not on its device");
  if (stream->device() != device_) misuse("a collective on a stream of another device");
  const Call call{kind, type, count, root};
  const std::uint64_t number = ++calls_;
  ++unfinished_;
  queue_it_ = [this, call, from, to, stream, number] {
    const bool hangs = due(settings().nccl_hang, number) || due(settings().nccl_error, number);
    if (due(settings().nccl_error, number)) {
      last_error_ = "injected by DDP_SIM_NCCL_ERROR";
      failed_ = ncclRemoteError;
    }
    stream->push_always([this, call, from, to, hangs] {
      while (hangs && !aborted_) std::this_thread::sleep_for(kPause);
      if (sticky_error() == cudaSuccess) run(call, visible_to_device(from), visible_to_device(to));
      --unfinished_;
    });
  };
  begin(Phase::queuing);
  return ncclInProgress;
}

ncclResult_t ncclComm::finalize() {
  require_idle("ncclCommFinalize");
  begin(Phase::finalizing);
  return ncclInProgress;
}

ncclResult_t ncclComm::get_async_error(ncclResult_t* error) {
  *error = ncclInProgress;
  if (phase_ == Phase::connecting) {
    if (failed_ != ncclSuccess) {
      *error = failed_;
    } else if (connected_ && polls_left_-- <= 0) {
      phase_ = Phase::idle;
    }
  } else if (phase_ == Phase::queuing && polls_left_-- <= 0) {
    std::exchange(queue_it_, nullptr)();
    phase_ = Phase::idle;
  } else if (phase_ == Phase::finalizing && unfinished_ == 0 && polls_left_-- <= 0) {
    phase_ = Phase::finalized;
  }
  if (phase_ == Phase::idle || phase_ == Phase::finalized) *error = failed_;
  return ncclSuccess;
}

void ncclComm::abort() {
  aborted_ = true;
  while (settings().nccl_abort_hangs) std::this_thread::sleep_for(kPause);
  if (connecting_.joinable()) connecting_.join();
}

void ncclComm::destroy() {
  if (phase_ != Phase::finalized) misuse("ncclCommDestroy of a communicator that is in progress");
  connecting_.join();
}

std::string ncclComm::status_json() const {
  if (!connected_ || shared_.load() == nullptr) return {};
  std::string present;
  std::string missing;
  for (int rank = 0; rank < ranks_; ++rank) {
    const Slot& of = slot(rank);
    const bool lives = ::kill(of.pid, 0) == 0;
    std::string& list = lives ? present : missing;
    list += (list.empty() ? "" : ",") + std::string("{\"rank\":") + std::to_string(rank) +
            ",\"pid\":" + std::to_string(of.pid);
    if (lives) {
      list += ",\"status\":{\"init_state\":0,\"async_error\":" +
              std::to_string(rank == rank_ ? failed_.load() : ncclSuccess) +
              "},\"collective_counts\":{\"Broadcast\":" +
              std::to_string(of.begun[static_cast<int>(Kind::broadcast)]) +
              ",\"AllReduce\":" + std::to_string(of.begun[static_cast<int>(Kind::all_reduce)]) +
              "}}";
    } else {
      list += ",\"status\":{\"unresponsive\":true,\"considered_dead\":true}}";
    }
  }
  return "{\"hash\":\"0x" + std::to_string(slot(0).pid) + "\",\"size\":" + std::to_string(ranks_) +
         ",\"ranks\":[" + present + "],\"missing_ranks\":[" + missing + "]}";
}

bool ncclComm::meet() {
  ++arrived_;
  slot(rank_).arrived.store(arrived_, std::memory_order_release);
  for (int rank = 0; rank < ranks_; ++rank) {
    for (int turn = 0; slot(rank).arrived.load(std::memory_order_acquire) < arrived_; ++turn) {
      constexpr int kYields = 20;
      if (aborted_) return false;
      if (turn < kYields) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(kPause);
      }
    }
  }
  return true;
}

void ncclComm::compare_calls(const Call& own) const {
  for (int rank = 0; rank < ranks_; ++rank) {
    if (slot(rank).call == own) continue;
    misuse("the ranks call different collectives: rank " + std::to_string(rank_) + " " +
           text_of(own) + ", rank " + std::to_string(rank) + " " + text_of(slot(rank).call));
  }
}

void ncclComm::run(const Call& call, const void* from, void* to) {
  slot(rank_).call = call;
  slot(rank_).begun[static_cast<int>(call.kind)].fetch_add(1, std::memory_order_relaxed);
  if (!meet()) return;
  compare_calls(call);
  if (!meet()) return;  // before the next call replaces this one
  if (call.kind == Kind::broadcast) {
    copy_from_root(static_cast<const unsigned char*>(from), static_cast<unsigned char*>(to),
                   call.count * size_of(call.type), call.root);
  } else if (call.type == ncclDouble) {
    sum(static_cast<const double*>(from), static_cast<double*>(to), call.count);
  } else {
    sum(static_cast<const float*>(from), static_cast<float*>(to), call.count);
  }
}

// In the order of ranks, so that each has the same bits.
template <class T>
bool ncclComm::sum(const T* from, T* to, std::size_t count) {
  constexpr std::size_t kChunk = kChunkBytes / sizeof(T);
  for (std::size_t begin = 0; begin < count; begin += kChunk) {
    const std::size_t size = std::min(kChunk, count - begin);
    std::memcpy(slot(rank_).data, from + begin, size * sizeof(T));
    if (!meet()) return false;
    for (std::size_t i = 0; i < size; ++i) {
      T total = 0;
      for (int rank = 0; rank < ranks_; ++rank)
        total += reinterpret_cast<const T*>(slot(rank).data)[i];
      to[begin + i] = total;
    }
    if (!meet()) return false;
  }
  return true;
}

bool ncclComm::copy_from_root(const unsigned char* from, unsigned char* to, std::size_t size,
                              int root) {
  for (std::size_t begin = 0; begin < size; begin += kChunkBytes) {
    const std::size_t part = std::min(kChunkBytes, size - begin);
    if (rank_ == root) std::memcpy(slot(root).data, from + begin, part);
    if (!meet()) return false;
    std::memcpy(to + begin, slot(root).data, part);
    if (!meet()) return false;
  }
  return true;
}
