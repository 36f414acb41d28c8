// A stream: a system thread that runs one operation after another, and the events between streams.
//
// Nothing but an event orders two streams, for ThreadSanitizer too: the host hands an operation
// over without taking anything from the stream in return (a mutex would, and would hide a missing
// wait).
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

namespace ddp::gpu_sim {

// Becomes true once, and wakes who waits for it.
class Signal {
 public:
  void set();
  bool is_set() const { return value_.load(std::memory_order_acquire) != 0; }
  void wait();

 private:
  std::atomic<std::uint32_t> value_{0};
};

// One call of cudaEventRecord.
struct Record {
  Signal done;
  std::chrono::steady_clock::time_point when;  // valid once done
};

using Operation = std::function<void()>;

}  // namespace ddp::gpu_sim

// The object lives until the process ends, its thread until what was queued before close() has run.
struct CUstream_st {
 public:
  CUstream_st(int device, std::uint64_t seed);
  CUstream_st(const CUstream_st&) = delete;
  CUstream_st& operator=(const CUstream_st&) = delete;

  int device() const { return device_; }
  // Skipped, like all operations after it, once the device is lost.
  void push(ddp::gpu_sim::Operation operation);
  // As push, but run on a lost device too: a record of an event, a wait.
  void push_always(ddp::gpu_sim::Operation operation);
  // Returns once all that was queued has run.
  void drain();
  // Nothing may be pushed after this.
  void close();

 private:
  struct Node {
    ddp::gpu_sim::Operation operation;
    std::atomic<Node*> next{nullptr};
  };
  void append(ddp::gpu_sim::Operation operation);  // with the mutex
  void run(std::uint64_t seed, Node* node);

  int device_;
  std::mutex pushing_;  // between threads of the host
  Node* last_;
  bool closed_ = false;
  ddp::gpu_sim::Signal ended_;
  std::atomic<std::uint32_t> pushed_{0};
};

// Lives until the process ends, so that a use after its end is seen.
struct CUevent_st {
  int device = 0;
  bool destroyed = false;
  std::mutex mutex;                              // between threads of the host
  std::shared_ptr<ddp::gpu_sim::Record> record;  // of the last cudaEventRecord
};

namespace ddp::gpu_sim {

// True on a stream's thread.
bool on_stream();
// The stream that null means on the current device.
cudaStream_t stream_of(cudaStream_t stream);
// Waits for all streams of a device, as cudaFree does.
void drain_device(int device);

}  // namespace ddp::gpu_sim
