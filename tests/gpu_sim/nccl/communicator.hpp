// A communicator: its ranks meet in shared memory, and its collectives run on streams.
#pragma once

#include "tests/gpu_sim/nccl/shared.hpp"

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

struct ncclComm {
 public:
  // Begins to connect the ranks; get_async_error() says when that is done.
  ncclComm(int ranks, const std::string& name, int rank);
  ncclComm(const ncclComm&) = delete;
  ncclComm& operator=(const ncclComm&) = delete;

  ncclResult_t collective(ddp::gpu_sim::nccl::Kind kind, const void* from, void* to,
                          std::size_t count, ncclDataType_t type, int root, cudaStream_t stream);
  ncclResult_t finalize();
  ncclResult_t get_async_error(ncclResult_t* error);
  // Ends what waits on a stream, with its data as it is by then.
  void abort();
  // Ends the process where the communicator is still in progress.
  void destroy();

  const std::string& last_error() const { return last_error_; }
  // How far each rank is, as an element of the answer of RAS; empty before the ranks have met.
  std::string status_json() const;
  // Ends the process where another thread is in a call of this communicator.
  class Entry {
   public:
    explicit Entry(ncclComm& comm);
    ~Entry() { comm_.entered_.clear(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    ncclComm& comm_;
  };

 private:
  using Call = ddp::gpu_sim::nccl::Call;
  enum class Phase { connecting, idle, queuing, finalizing, finalized };

  void connect(const std::string& name);
  std::string shared_device() const;  // the reason to refuse; empty: none
  void require_idle(const char* what) const;
  void begin(Phase phase);
  // On a stream's thread. False: aborted.
  bool meet();
  void run(const Call& call, const void* from, void* to);
  void compare_calls(const Call& own) const;
  template <class T>
  bool sum(const T* from, T* to, std::size_t count);
  bool copy_from_root(const unsigned char* from, unsigned char* to, std::size_t size, int root);
  ddp::gpu_sim::nccl::Slot& slot(int rank) const { return shared_.load()->slots[rank]; }

  int rank_;
  int ranks_;
  int device_;
  std::atomic<ddp::gpu_sim::nccl::Shared*> shared_{nullptr};
  std::thread connecting_;
  std::atomic<bool> connected_{false};
  std::atomic<ncclResult_t> failed_{ncclSuccess};
  std::atomic<bool> aborted_{false};
  std::atomic<std::uint64_t> unfinished_{0};  // operations on streams
  std::uint64_t arrived_ = 0;                 // used on streams, one operation at a time
  std::uint64_t calls_ = 0;
  std::uint64_t random_;
  Phase phase_ = Phase::connecting;
  int polls_left_ = 0;              // until a phase may end
  std::function<void()> queue_it_;  // of the phase `queuing`
  std::string last_error_;
  std::atomic_flag entered_;
};
