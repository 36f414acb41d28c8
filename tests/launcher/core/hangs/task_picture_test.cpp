// From two samples of a process to a picture, and from steps and pictures to the root cause.
#include "launcher/core/hangs/task_picture.hpp"

#include <doctest/doctest.h>

namespace {

using namespace ddp::core;
using std::chrono::milliseconds;

ProcessSample sample(int ms, std::vector<ThreadSample> threads) {
  return {TimePoint(milliseconds(ms)), std::move(threads)};
}

ThreadSample thread(char state, int cpu_ms, std::string wait_channel = "", int tid = 1) {
  return {.tid = tid,
          .state = state,
          .cpu_time = milliseconds(cpu_ms),
          .wait_channel = std::move(wait_channel)};
}

Hang hang_of(std::vector<Activity> activities, std::vector<int> behind = {}) {
  Hang hang;
  for (std::size_t i = 0; i < activities.size(); ++i) {
    RankStanding rank{.local_rank = static_cast<int>(i)};
    rank.process.activity = activities[i];
    rank.ended = activities[i] == Activity::ended;
    hang.ranks.push_back(rank);
  }
  for (const int rank : behind) hang.ranks[static_cast<std::size_t>(rank)].behind = true;
  return hang;
}

constexpr auto kSleeps = Activity::sleeping;
constexpr auto kRuns = Activity::running;
constexpr auto kStopped = Activity::stopped;
constexpr auto kStuck = Activity::uninterruptible;

}  // namespace

TEST_CASE("a process that sleeps, with what it waits for") {
  const auto picture =
      picture_of(sample(0, {thread('S', 50, "futex_wait"), thread('S', 10, "poll", 2)}),
                 sample(200, {thread('S', 51, "futex_wait"), thread('S', 12, "poll", 2)}));
  CHECK(picture.activity == Activity::sleeping);
  CHECK(picture.state == 'S');
  CHECK(picture.wait_channel == "futex_wait");
  CHECK(picture.threads == 2);
  CHECK(picture.cores == doctest::Approx(0.015));
}

TEST_CASE("a process computes by its CPU time in any thread") {
  const auto picture =
      picture_of(sample(0, {thread('S', 50, "futex_wait"), thread('S', 10, "", 2)}),
                 sample(200, {thread('S', 50, "futex_wait"), thread('S', 200, "", 2)}));
  CHECK(picture.activity == Activity::running);
  CHECK(picture.cores == doctest::Approx(0.95));
}

TEST_CASE("a process that only waits for a core computes too") {
  const auto before = sample(0, {thread('R', 50)});
  CHECK(picture_of(before, sample(200, {thread('R', 50)})).activity == Activity::running);
  // Seen on its way once, asleep the other time: it only looked whether something had come.
  CHECK(picture_of(before, sample(200, {thread('S', 51)})).activity == Activity::sleeping);
}

TEST_CASE("stopped, uninterruptible, exited") {
  CHECK(picture_of(sample(0, {thread('S', 5)}), sample(200, {thread('T', 5)})).activity ==
        Activity::stopped);
  CHECK(picture_of(sample(0, {thread('t', 5)}), sample(200, {thread('t', 5)})).activity ==
        Activity::stopped);
  CHECK(picture_of(sample(0, {thread('D', 5)}), sample(200, {thread('D', 5)})).activity ==
        Activity::uninterruptible);
  // Once is what every read from a disk shows.
  CHECK(picture_of(sample(0, {thread('S', 5)}), sample(200, {thread('D', 5)})).activity ==
        Activity::sleeping);
  CHECK(picture_of(sample(0, {thread('S', 5)}), sample(200, {})).activity == Activity::ended);
  CHECK(picture_of(sample(0, {thread('S', 5)}), sample(200, {thread('Z', 5)})).activity ==
        Activity::ended);
}

TEST_CASE("a process that cannot continue is the root cause, whatever the steps are") {
  CHECK(root_cause_rank(hang_of({kSleeps, kStopped, kSleeps}, {2})) == 1);
  CHECK(root_cause_rank(hang_of({kSleeps, kStuck})) == 1);
  CHECK_FALSE(root_cause_rank(hang_of({kStopped, kStopped})));
}

TEST_CASE("the only one that is behind is the root cause; several are not") {
  CHECK(root_cause_rank(hang_of({kSleeps, kSleeps, kSleeps}, {2})) == 2);
  CHECK_FALSE(root_cause_rank(hang_of({kSleeps, kSleeps, kSleeps}, {1, 2})));
  CHECK_FALSE(root_cause_rank(hang_of({kSleeps, kSleeps, kSleeps})));
}

TEST_CASE("else the odd one out of at least three") {
  CHECK(root_cause_rank(hang_of({kSleeps, kRuns, kSleeps})) == 1);
  CHECK(root_cause_rank(hang_of({kRuns, kRuns, kSleeps, kRuns})) == 2);
  CHECK_FALSE(root_cause_rank(hang_of({kSleeps, kRuns})));
  CHECK_FALSE(root_cause_rank(hang_of({kSleeps, kRuns, kRuns, kSleeps})));
  CHECK_FALSE(root_cause_rank(hang_of({kSleeps, kRuns, Activity::unknown})));
  CHECK_FALSE(root_cause_rank(hang_of({kRuns, kRuns, kRuns})));
}

TEST_CASE("those that have ended do not count") {
  CHECK(root_cause_rank(hang_of({Activity::ended, kSleeps, Activity::ended})) == 1);
  CHECK_FALSE(root_cause_rank(hang_of({Activity::ended, kSleeps, kRuns})));
  CHECK_FALSE(root_cause_rank(hang_of({})));
}
