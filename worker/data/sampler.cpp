#include "worker/data/sampler.hpp"

#include "worker/base/random.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace ddp::worker {

Permutation::Permutation(std::uint64_t size, std::uint64_t key) : size_(size), key_(key) {
  assert(size > 0);
  const auto bits = static_cast<unsigned>(std::bit_width(size - 1));
  half_bits_ = std::max(1u, (bits + 1) / 2);
}

std::uint64_t Permutation::operator()(std::uint64_t index) const {
  assert(index < size_);
  constexpr std::uint64_t kRounds = 6;
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  // The network's range is less than four times `size_`, so at most four walks on average.
  do {
    std::uint64_t left = index >> half_bits_;
    std::uint64_t right = index & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t next = left ^ (mix(key_ + round, right) & mask);
      left = right;
      right = next;
    }
    index = (left << half_bits_) | right;
  } while (index >= size_);
  return index;
}

Sampler::Sampler(std::uint64_t samples, std::uint64_t global_batch, std::uint64_t seed, int rank,
                 int world_size)
    : samples_(samples),
      global_batch_(global_batch),
      seed_(seed),
      rank_(static_cast<std::uint64_t>(rank)),
      world_size_(static_cast<std::uint64_t>(world_size)) {
  assert(samples > 0 && rank >= 0 && rank < world_size);
}

std::vector<std::uint64_t> Sampler::share(std::uint64_t step) const {
  std::vector<std::uint64_t> share;
  const std::uint64_t begin = step * global_batch_;
  for (std::uint64_t at = begin + rank_; at < begin + global_batch_; at += world_size_) {
    const std::uint64_t epoch = at / samples_;
    share.push_back(Permutation(samples_, mix(seed_, epoch))(at % samples_));
  }
  return share;
}

}  // namespace ddp::worker
