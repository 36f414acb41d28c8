#include "launcher/core/progress/progress.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>

using namespace ddp::core;
using namespace std::chrono_literals;

namespace {

TimePoint at(Nanoseconds time) { return TimePoint(1h + time); }

Progress started(int nproc) {
  Progress progress({.nproc = nproc});
  progress.apply(StartRequested{}, at(0s));
  progress.apply(GenerationBegan{0, 0}, at(0s));
  for (LocalRank rank = 0; rank < nproc; ++rank)
    progress.apply(WorkerStarted{rank, 100 + rank}, at(0s));
  progress.apply(GroupRunning{0}, at(0s));
  return progress;
}

void step(Progress& progress, LocalRank rank, std::int64_t number, Nanoseconds time) {
  progress.apply(WorkerStep{rank, number}, at(time));
}

}  // namespace

TEST_CASE("the group has finished a step when its slowest rank has") {
  auto progress = started(3);
  CHECK_FALSE(progress.step());
  CHECK_FALSE(progress.rate());
  step(progress, 0, 5, 1s);
  CHECK_FALSE(progress.all_step());
  step(progress, 2, 5, 1100ms);
  step(progress, 1, 5, 1050ms);
  CHECK(progress.all_step());
  step(progress, 0, 6, 2s);
  step(progress, 0, 7, 3s);
  const auto group = progress.step();
  REQUIRE(group);
  CHECK(group->step == 5);
  CHECK(group->at == at(1100ms));
  CHECK(group->lead == 7);
  CHECK(progress.first_step() == 5);
  CHECK(*progress.rate() == doctest::Approx(1));
}

TEST_CASE("a step that is reported again changes nothing; one that is lower counts anew") {
  auto progress = started(1);
  step(progress, 0, 5, 1s);
  const auto version = progress.version();
  step(progress, 0, 5, 2s);
  CHECK(progress.version() == version);
  CHECK(progress.step()->at == at(1s));
  step(progress, 0, 1, 3s);
  CHECK(progress.step()->step == 1);
  CHECK_FALSE(progress.rate());
}

TEST_CASE("the rate follows a change within seconds, whatever the rate") {
  for (const auto period : {1ms, 100ms}) {
    auto progress = started(1);
    Nanoseconds now = 0s;
    std::int64_t number = 0;
    while (now < 20s) step(progress, 0, ++number, now += period);
    CHECK(*progress.rate() == doctest::Approx(std::chrono::duration<double>(1s) / period));
    while (now < 40s) step(progress, 0, ++number, now += 2 * period);
    CHECK(*progress.rate() ==
          doctest::Approx(0.5 * (std::chrono::duration<double>(1s) / period)).epsilon(0.05));
  }
}

TEST_CASE("time left: at the present rate until the total") {
  auto progress = started(1);
  step(progress, 0, 1, 1s);
  step(progress, 0, 2, 2s);
  CHECK_FALSE(progress.time_left());
  progress.apply(WorkerTotalSteps{0, 12}, at(2s));
  CHECK(*progress.time_left() == 10s);
  progress.apply(WorkerTotalSteps{0, 1}, at(2s));
  CHECK_FALSE(progress.time_left());
}

TEST_CASE("the slowest rank is the one that computed longest") {
  auto progress = started(3);
  for (LocalRank rank = 0; rank < 3; ++rank)
    progress.apply(WorkerStep{rank, 1, rank == 1 ? 0.5 : 0.1, 2.5 + rank}, at(1s));
  const auto group = progress.step();
  CHECK(group->slowest == 1);
  CHECK(group->slowest_busy == 500ms);
  CHECK(group->busy_median == 100ms);
  CHECK(group->loss == 2.5);
  // Nonsense is no time.
  progress.apply(WorkerStep{0, 2, std::nan(""), std::nan("")}, at(2s));
  CHECK(progress.ranks()[0].busy == 100ms);
  CHECK(std::isnan(*progress.ranks()[0].loss));
}

TEST_CASE("time in checkpoints: as long as one rank is in one") {
  auto progress = started(2);
  progress.apply(WorkerPhase{0, "train"}, at(0s));
  step(progress, 0, 1, 1s);
  step(progress, 1, 1, 1s);
  progress.apply(WorkerPhase{0, "checkpoint"}, at(1s));
  progress.apply(WorkerPhase{1, "checkpoint"}, at(2s));
  progress.apply(WorkerPhase{0, "train"}, at(3s));
  progress.apply(WorkerPhase{1, "train"}, at(4s));
  step(progress, 0, 2, 5s);
  step(progress, 1, 2, 5s);
  CHECK(progress.step()->checkpointing == 3s);
  progress.apply(WorkerPhase{1, "checkpoint"}, at(5s));
  progress.apply(WorkerExited{1, Exited{1}}, at(6s));
  step(progress, 0, 3, 8s);
  CHECK(progress.step()->checkpointing == 4s);
}

TEST_CASE("states of ranks and of the group") {
  auto progress = started(2);
  CHECK(progress.state() == GroupState::running);
  CHECK(progress.up() == 2);
  progress.apply(WorkerReady{0}, at(1s));
  CHECK(progress.ranks()[0].state == RankState::ready);
  CHECK(progress.ranks()[1].state == RankState::started);
  CHECK(progress.ranks()[1].pid == 101);
  progress.apply(WorkerExited{1, Exited{3}}, at(2s));
  progress.apply(TeardownBegan{}, at(2s));
  CHECK(progress.state() == GroupState::stopping);
  CHECK(progress.up() == 1);
  CHECK(progress.ranks()[1].status == ExitStatus(Exited{3}));
  progress.apply(GenerationOver{}, at(3s));
  CHECK(progress.state() == GroupState::waiting);
  progress.apply(GenerationBegan{1, 0}, at(4s));
  CHECK(progress.generation() == 1);
  CHECK(progress.up() == 0);
  CHECK(progress.ranks()[1].state == RankState::waiting);
  CHECK_FALSE(progress.step());
  progress.apply(Finish{}, at(5s));
  CHECK(progress.state() == GroupState::finished);
}
