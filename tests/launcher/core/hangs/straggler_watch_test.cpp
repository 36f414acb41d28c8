// Stragglers among ranks that wait for each other and report their step before or after that, ranks
// that never wait, ranks that measure themselves; and random runs in which no rank may be named.
#include "launcher/core/hangs/straggler_watch.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace {

using namespace ddp::core;

TimePoint at(double ms) { return TimePoint(Nanoseconds(static_cast<std::int64_t>(ms * 1e6))); }

struct Message {
  double ms;
  int rank;
  std::int64_t step;
  std::optional<double> busy;
};

// In the order of time.
std::vector<Straggler> feed(StragglerWatch& watch, std::vector<Message> messages) {
  std::stable_sort(messages.begin(), messages.end(),
                   [](const Message& a, const Message& b) { return a.ms < b.ms; });
  std::vector<Straggler> all;
  for (const auto& m : messages) {
    for (const auto& one : watch.apply(WorkerStep{m.rank, m.step, m.busy}, at(m.ms)))
      all.push_back(one);
  }
  return all;
}

using Compute = std::function<double(int rank, int step)>;  // ms

// Ranks that wait for the slowest one in each step and report it before or after that.
std::vector<Message> lock_step(int nproc, int steps, const Compute& compute, bool before) {
  std::vector<Message> messages;
  double begin = 0;
  for (int step = 1; step <= steps; ++step) {
    double slowest = 0;
    for (int rank = 0; rank < nproc; ++rank) slowest = std::max(slowest, compute(rank, step));
    const double end = begin + slowest + 2;  // the all-reduce
    for (int rank = 0; rank < nproc; ++rank)
      messages.push_back({before ? begin + compute(rank, step) : end, rank, step, std::nullopt});
    begin = end;
  }
  return messages;
}

double rank_2_slow(int rank, int) { return rank == 2 ? 40 : 10; }

StragglerWatch watch(int nproc = 4, double factor = 2, int window = 10) {
  StragglerWatch watch({.factor = factor, .window = window}, nproc);
  watch.apply(GenerationBegan{});
  return watch;
}

}  // namespace

TEST_CASE(
    "ranks that report their step before they wait: the slow one is named, once, with figures") {
  auto stragglers = watch();
  const auto named = feed(stragglers, lock_step(4, 100, rank_2_slow, true));
  REQUIRE(named.size() == 1);
  CHECK(named[0].local_rank == 2);
  CHECK_FALSE(named[0].by_metric);
  // The all-reduce is part of everybody's time.
  CHECK(named[0].own == std::chrono::milliseconds(42));
  CHECK(named[0].median == std::chrono::milliseconds(12));
  CHECK(named[0].factor == doctest::Approx(3.5));
}

TEST_CASE("ranks that report their step after they waited: nothing shows") {
  auto stragglers = watch();
  CHECK(feed(stragglers, lock_step(4, 100, rank_2_slow, false)).empty());
}

TEST_CASE("ranks that measure themselves are compared whenever they report") {
  for (const bool before : {true, false}) {
    auto stragglers = watch();
    auto messages = lock_step(4, 100, rank_2_slow, before);
    for (auto& m : messages) m.busy = rank_2_slow(m.rank, 0) / 1e3;
    const auto named = feed(stragglers, messages);
    REQUIRE(named.size() == 1);
    CHECK(named[0].local_rank == 2);
    CHECK(named[0].by_metric);
    CHECK(named[0].own == std::chrono::milliseconds(40));
    CHECK(named[0].factor == doctest::Approx(4));
  }
}

TEST_CASE("a metric that one rank does not report, or whose value is nonsense, is not compared") {
  for (const std::optional<double> odd : {std::optional<double>(), std::optional(std::nan("")),
                                          std::optional(-1.0), std::optional(1e300)}) {
    auto stragglers = watch();
    auto messages = lock_step(
        4, 100, [](int, int) { return 10; }, true);
    for (auto& m : messages) m.busy = m.rank == 1 ? odd : rank_2_slow(m.rank, 0) / 1e3;
    CHECK(feed(stragglers, messages).empty());
  }
}

TEST_CASE("ranks that never wait for each other") {
  std::vector<Message> messages;
  for (int rank = 0; rank < 4; ++rank) {
    for (int step = 1; step <= 60; ++step)
      messages.push_back({step * (rank == 1 ? 30.0 : 10.0), rank, step, std::nullopt});
  }
  auto stragglers = watch();
  const auto named = feed(stragglers, messages);
  REQUIRE(named.size() == 1);
  CHECK(named[0].local_rank == 1);
}

TEST_CASE("of two ranks the slower one is named") {
  auto stragglers = watch(2);
  const auto named =
      feed(stragglers, lock_step(
                           2, 50, [](int rank, int) { return rank == 1 ? 40 : 10; }, true));
  REQUIRE(named.size() == 1);
  CHECK(named[0].local_rank == 1);
}

TEST_CASE("below the factor, below a millisecond, or now and then: no rank") {
  auto stragglers = watch();
  CHECK(feed(stragglers, lock_step(
                             4, 100, [](int rank, int) { return rank == 2 ? 18 : 10; }, true))
            .empty());
  stragglers.apply(GenerationBegan{});
  auto tiny = lock_step(
      4, 100, [](int, int) { return 10; }, false);
  for (auto& m : tiny) m.busy = m.rank == 2 ? 900e-6 : 1e-6;
  CHECK(feed(stragglers, tiny).empty());
  stragglers.apply(GenerationBegan{});
  CHECK(feed(stragglers,
             lock_step(
                 4, 400, [](int rank, int step) { return rank == 2 && step % 10 == 0 ? 500 : 10; },
                 true))
            .empty());
}

TEST_CASE("a rank that is slow in bursts, which its median does not show, is named, once") {
  // Stopped and continued, or out of its share of the CPU, every few steps.
  for (const int every : {2, 4, 5}) {
    CAPTURE(every);
    auto stragglers = watch(4, 1.5, 20);
    const auto named =
        feed(stragglers, lock_step(
                             4, 400,
                             [&](int rank, int step) {
                               return rank == 2 && step % every == 0 ? 42 : rank == 2 ? 7.3 : 6.6;
                             },
                             true));
    REQUIRE(named.size() == 1);
    CHECK(named[0].local_rank == 2);
    CHECK(named[0].factor >= 1.5);
  }
}

TEST_CASE("bursts that last less than a second are a neighbour's on the same core") {
  auto stragglers = watch(2, 1.5, 6);
  const auto every_third = [](int rank, int step) { return rank == 1 && step % 3 == 0 ? 24 : 4; };
  CHECK(feed(stragglers, lock_step(2, 75, every_third, true)).empty());
  stragglers.apply(GenerationBegan{});
  CHECK(feed(stragglers, lock_step(2, 200, every_third, true)).size() == 1);
}

TEST_CASE("a rank that has many odd steps for a while is no straggler") {
  auto stragglers = watch(4, 1.5, 20);
  CHECK(feed(stragglers, lock_step(
                             4, 400,
                             [](int rank, int step) {
                               return rank == 2 && step > 200 && step < 260 && step % 4 == 0 ? 42
                                                                                             : 7;
                             },
                             true))
            .empty());
}

TEST_CASE("one rank alone, and ranks that report nothing, are no stragglers") {
  auto stragglers = watch(4);
  CHECK(feed(stragglers, lock_step(1, 100, rank_2_slow, true)).empty());
}

TEST_CASE("a new attempt is measured anew") {
  auto stragglers = watch();
  CHECK(feed(stragglers, lock_step(4, 40, rank_2_slow, true)).size() == 1);
  stragglers.apply(GenerationBegan{});
  CHECK(feed(stragglers, lock_step(4, 40, rank_2_slow, true)).size() == 1);
}

TEST_CASE("steps reported only now and then count per step") {
  auto messages = lock_step(4, 400, rank_2_slow, true);
  std::erase_if(messages, [](const Message& m) { return m.step % 10 != 0; });
  auto stragglers = watch();
  const auto named = feed(stragglers, messages);
  // The ranks waited for each other nine times out of ten: most of the difference is gone.
  for (const auto& one : named) CHECK(one.local_rank == 2);
}

TEST_CASE("random runs of equal ranks name no rank; with a slow one, no other") {
  std::mt19937 random(11);
  const auto noise = [&](int n) {
    return static_cast<double>(random() % static_cast<unsigned>(n));
  };
  int found = 0;
  for (int life = 0; life < 300; ++life) {
    const int nproc = 2 + static_cast<int>(random() % 6);
    const int slow = life % 2 == 0 ? -1 : static_cast<int>(random() % static_cast<unsigned>(nproc));
    std::vector<std::vector<double>> compute(static_cast<std::size_t>(nproc));
    for (int rank = 0; rank < nproc; ++rank) {
      for (int step = 0; step <= 400; ++step)
        compute[static_cast<std::size_t>(rank)].push_back((rank == slow ? 60 : 10) + noise(5) +
                                                          (noise(20) == 0 ? 200 : 0));
    }
    auto stragglers = watch(nproc, 2);
    const auto named =
        feed(stragglers,
             lock_step(
                 nproc, 400,
                 [&](int rank, int step) {
                   return compute[static_cast<std::size_t>(rank)][static_cast<std::size_t>(step)];
                 },
                 random() % 2 == 0));
    for (const auto& one : named) REQUIRE(one.local_rank == slow);
    found += static_cast<int>(named.size());
  }
  CHECK(found > 50);
}
