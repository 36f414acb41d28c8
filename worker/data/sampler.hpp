// Chooses the samples of a step and this rank's share of them, as PyTorch's DistributedSampler
// does, but for a batch that does not depend on the world size.
//
// The samples of an epoch are permuted by seed and epoch; epochs follow one another without a gap.
// Step s takes positions [s*B, (s+1)*B) of that stream, rank r every world_size-th of them from r.
// The permutation is a Feistel network with cycle walking, so that any position is computed
// directly: no table, whatever the size of the data, and the sampler's whole state is the step.
#pragma once

#include <cstdint>
#include <vector>

namespace ddp::worker {

// A permutation of [0, size) that `key` selects.
class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t key);
  std::uint64_t operator()(std::uint64_t index) const;  // index < size

 private:
  std::uint64_t size_;
  std::uint64_t key_;
  unsigned half_bits_;  // the network permutes [0, 2^(2 half_bits)), the smallest such range that
                        // contains [0, size)
};

class Sampler {
 public:
  Sampler(std::uint64_t samples, std::uint64_t global_batch, std::uint64_t seed, int rank,
          int world_size);

  // This rank's sample numbers in step `step` (from 0).
  std::vector<std::uint64_t> share(std::uint64_t step) const;
  std::uint64_t epoch_of(std::uint64_t step) const { return step * global_batch_ / samples_; }

 private:
  std::uint64_t samples_;
  std::uint64_t global_batch_;
  std::uint64_t seed_;
  std::uint64_t rank_;
  std::uint64_t world_size_;
};

}  // namespace ddp::worker
