// Room: worker/comm. All-reduce and broadcast between ranks: Gloo, or a world of one.
// Includes: common/client, worker/base, worker/store. Included by: worker, worker/checkpoint,
// worker/cli, worker/gpu.
//
// The communication between ranks that the trainer needs, whichever library does it.
//
// Gradients are reduced in buckets while the backward pass still runs: start() starts the reduction
// of one bucket and returns, finish() waits for all that were started. Every call has the deadline
// of
// --comm-timeout. If a peer died or hangs, a call throws a CommError that says which collective of
// which step failed. After a CommError the communicator cannot be used.
#pragma once

#include "worker/base/failure.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ddp::worker {

struct CommError : PeerFailure {
  using PeerFailure::PeerFailure;
};

// The cost of communication since the last call of take_statistics().
struct CommStatistics {
  double busy_seconds = 0;     // time in which a bucket was being reduced
  double exposed_seconds = 0;  // the part of it that the trainer waited in finish()
  std::uint64_t bytes = 0;     // gradients reduced, counted once however many ranks share them
};

// A fault that is injected into one bucket on one rank (docs/worker.md, "Faults").
enum class Sabotage {
  skip,  // neither it nor any later one is reduced: the ranks wait for each other until their
         // deadlines
  die,   // this process gets SIGKILL during the all-reduce
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::string_view backend() const = 0;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  // Sums `bucket` over all ranks, in place. Do not touch `values` until finish(). Every rank must
  // start the same buckets in the same order; each gets the same bits.
  virtual void start(std::span<float> values, std::int64_t step, int bucket) = 0;
  virtual void finish() = 0;
  // Applies to the next call of start().
  virtual void sabotage(Sabotage what) = 0;

  // The next ones block, work on host memory, and must be called in the same order on every rank.
  virtual void sum(std::span<double> values) = 0;
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  virtual void barrier() = 0;

  virtual CommStatistics take_statistics() = 0;
};

}  // namespace ddp::worker
