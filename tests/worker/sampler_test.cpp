#include "worker/data/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

using namespace ddp::worker;

TEST_CASE("a permutation visits every element once, and its key changes the order") {
  for (const std::uint64_t size : {1u, 2u, 3u, 64u, 65u, 1000u, 4097u}) {
    const Permutation permutation(size, 5);
    const Permutation other(size, 6);
    std::set<std::uint64_t> seen;
    std::uint64_t same = 0;
    std::uint64_t stayed = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint64_t to = permutation(i);
      CHECK(to < size);
      seen.insert(to);
      same += to == other(i);
      stayed += to == i;
    }
    CHECK(seen.size() == size);
    if (size >= 1000) {
      // About one fixed point is expected of a random permutation.
      CHECK(same < 10);
      CHECK(stayed < 10);
    }
  }
}

TEST_CASE("a permutation of 2^40 is computed directly") {
  const std::uint64_t size = (std::uint64_t{1} << 40) + 1;
  const Permutation permutation(size, 1);
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = size - 1000; i < size; ++i) {
    CHECK(permutation(i) < size);
    seen.insert(permutation(i));
  }
  CHECK(seen.size() == 1000);
}

TEST_CASE("the global batch does not depend on the world size") {
  const std::uint64_t samples = 103;
  const std::uint64_t batch = 10;
  for (std::uint64_t step = 0; step < 30; ++step) {
    const std::vector<std::uint64_t> whole = Sampler(samples, batch, 9, 0, 1).share(step);
    REQUIRE(whole.size() == batch);
    for (const int world : {2, 3, 4, 10}) {
      for (int rank = 0; rank < world; ++rank) {
        const auto share = Sampler(samples, batch, 9, rank, world).share(step);
        // Rank r takes every world-th from r, as DistributedSampler.
        for (std::size_t i = 0; i < share.size(); ++i)
          CHECK(share[i] ==
                whole[static_cast<std::size_t>(rank) + i * static_cast<std::size_t>(world)]);
        CHECK(share.size() >= batch / static_cast<std::uint64_t>(world));
      }
    }
  }
}

TEST_CASE("each epoch has every sample once, in a different order") {
  const std::uint64_t samples = 60;
  const std::uint64_t batch = 7;  // epochs begin inside batches
  const Sampler sampler(samples, batch, 3, 0, 1);
  std::vector<std::uint64_t> stream;
  for (std::uint64_t step = 0; stream.size() < 3 * samples; ++step) {
    CHECK(sampler.epoch_of(step) == stream.size() / samples);
    for (const std::uint64_t s : sampler.share(step)) stream.push_back(s);
  }
  std::set<std::vector<std::uint64_t>> orders;
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(epoch * samples);
    std::vector<std::uint64_t> order(begin, begin + static_cast<std::ptrdiff_t>(samples));
    CHECK(std::set<std::uint64_t>(order.begin(), order.end()).size() == samples);
    orders.insert(order);
  }
  CHECK(orders.size() == 3);
}
