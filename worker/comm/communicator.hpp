// What the trainer needs of a group of ranks, whichever library moves the bytes.
//
// Gradients are reduced in buckets while the backward pass still runs: start() hands one bucket
// over and returns, finish() waits for all that were started. Every call has the deadline of
// --comm-timeout; a peer that died or hangs is a CommError that says which collective of which
// step could not be completed. After a CommError the communicator is of no further use.
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

// What communication cost since the last call of take_statistics().
struct CommStatistics {
  double busy_seconds = 0;     // time in which a bucket was under way
  double exposed_seconds = 0;  // of it, time the trainer stood in finish() waiting
  std::uint64_t bytes = 0;     // gradients reduced, counted once however many ranks share them
};

// What a fault plan does to one bucket on one rank (docs/worker.md, "Faults").
enum class Sabotage {
  skip,  // it is not reduced, nor any after it: the ranks wait for each other until their deadlines
  die,   // this process dies by SIGKILL when the all-reduce is under way and not yet complete
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::string_view backend() const = 0;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  // Sums `bucket` over all ranks, in place. `values` must stay untouched until finish(). Every rank
  // starts the same buckets in the same order, and each gets the same bits.
  virtual void start(std::span<float> values, std::int64_t step, int bucket) = 0;
  virtual void finish() = 0;
  // For the next bucket that start() is given.
  virtual void sabotage(Sabotage what) = 0;

  // Blocking, host memory, same order on every rank.
  virtual void sum(std::span<double> values) = 0;
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  virtual void barrier() = 0;

  virtual CommStatistics take_statistics() = 0;
};

}  // namespace ddp::worker
