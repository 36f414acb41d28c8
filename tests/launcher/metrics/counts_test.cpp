#include "launcher/metrics/counts.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace ddp::core;
using namespace ddp::metrics;
using namespace std::chrono_literals;

namespace {

TimePoint at(Nanoseconds time) { return TimePoint(1h + time); }

const Cause kExit3 = WorkerFailed{.local_rank = 1, .status = Exited{3}};

// The end of an attempt that fails at `failed`, and what follows.
void fail(Counts& counts, const Cause& cause, Nanoseconds failed, bool restarts,
          std::optional<Nanoseconds> detected = std::nullopt) {
  GenerationOver over;
  over.verdict.cause = cause;
  over.decision = restarts ? RestartDecision(RestartIn{}) : RestartDecision(GiveUp{});
  counts.apply(over, at(failed));
  if (is_failure(cause))
    counts.failed({.cause = cause, .failed = at(failed), .detected = detected});
}

}  // namespace

TEST_CASE("the time of a step is that between two reports, for each step between them") {
  Counts counts({.nproc = 2}, {});
  counts.apply(GenerationBegan{0, 0}, at(0s));
  counts.apply(WorkerStep{0, 10}, at(1s));  // the first has nothing before it
  CHECK(counts.steps(0).count == 0);
  counts.apply(WorkerStep{0, 11}, at(1200ms));
  counts.apply(WorkerStep{0, 11}, at(1300ms));  // a repeated message
  counts.apply(WorkerStep{0, 15}, at(1600ms));  // 100 ms each
  CHECK(counts.steps(0).count == 5);
  CHECK(counts.steps(0).sum == doctest::Approx(0.6));
  counts.apply(WorkerStep{0, 1}, at(5s));  // it counts anew
  CHECK(counts.steps(0).count == 5);
  CHECK(counts.steps(1).count == 0);
  // The next attempt: the time of the restart is no step's.
  counts.apply(GenerationBegan{1, 0}, at(9s));
  counts.apply(WorkerStep{0, 2}, at(10s));
  CHECK(counts.steps(0).count == 5);
  counts.apply(WorkerStep{0, 3}, at(11s));
  CHECK(counts.steps(0).count == 6);
}

TEST_CASE("the time for which the run was stopped is no step's") {
  Counts counts({.nproc = 1}, {});
  counts.apply(WorkerStep{0, 1}, at(1s));
  counts.apply(Suspended{1h}, at(1h + 1s));
  counts.apply(WorkerStep{0, 2}, at(1h + 3s));
  CHECK(counts.steps(0).sum == doctest::Approx(2));
}

TEST_CASE("failures by cause, and how long it took to detect and to recover from them") {
  Counts counts({.nproc = 2}, {.most = 3});
  CHECK(counts.restarts_left(at(0s)) == 3);
  counts.apply(GenerationBegan{0, 0}, at(0s));
  counts.apply(WorkerStarted{0, 100}, at(1s));
  counts.apply(WorkerStep{0, 1}, at(2s));
  fail(counts, kExit3, 10s, true, 5ms);
  counts.apply(GenerationBegan{1, 0}, at(11s));
  counts.apply(WorkerStarted{0, 101}, at(12s));
  counts.apply(WorkerStarted{1, 102}, at(13s));  // the first alone counts
  counts.apply(WorkerStep{1, 1}, at(14s));
  counts.apply(WorkerStep{0, 1}, at(15s));
  CHECK(counts.failures() == std::map<std::string, std::uint64_t>{{"exit 3", 1}});
  CHECK(counts.restarts() == 1);
  CHECK(counts.restarts_left(at(15s)) == 2);
  CHECK(counts.detection().count == 1);
  CHECK(counts.detection().sum == doctest::Approx(0.005));
  CHECK(counts.restart().count == 1);
  CHECK(counts.restart().sum == doctest::Approx(2));
  CHECK(counts.recovery().count == 1);
  CHECK(counts.recovery().sum == doctest::Approx(4));

  // An attempt that fails before its first step has recovered nothing.
  fail(counts, kExit3, 20s, true);
  counts.apply(GenerationBegan{2, 0}, at(21s));
  counts.apply(WorkerStarted{0, 103}, at(21s));
  fail(counts, WorkerFailed{.local_rank = 0, .status = Signaled{9}}, 22s, false);
  CHECK(counts.failures() == std::map<std::string, std::uint64_t>{{"exit 3", 2}, {"SIGKILL", 1}});
  CHECK(counts.detection().count == 1);  // what was not injected, nor hung, has no beginning
  CHECK(counts.restart().count == 2);
  CHECK(counts.recovery().count == 1);
  CHECK(counts.restarts() == 2);
  CHECK(counts.restarts_left(at(22s)) == 1);
}

TEST_CASE("a hang is detected as long after the group's last progress as it stood still") {
  Counts counts({.nproc = 1}, {});
  Hung hung;
  hung.hang.limit = 3s;
  fail(counts, hung, 10s, false);
  CHECK(counts.detection().count == 1);
  CHECK(counts.detection().sum == doctest::Approx(3));
  CHECK(counts.failures().at("hang") == 1);
}

TEST_CASE("a restart on request is a restart, no failure, and costs none of those left") {
  Counts counts({.nproc = 1}, {.most = 1});
  counts.apply(GenerationBegan{0, 0}, at(0s));
  fail(counts, RestartedByRequest{}, 1s, true);
  counts.apply(GenerationBegan{1, 0}, at(1s));
  CHECK(counts.restarts() == 1);
  CHECK(counts.restarts_left(at(1s)) == 1);
  CHECK(counts.failures().empty());
}

TEST_CASE("with a window a restart is back when it has left the window") {
  Counts counts({.nproc = 1}, {.most = 2, .window = 10min});
  fail(counts, kExit3, 0s, true);
  fail(counts, kExit3, 5min, true);
  CHECK(counts.restarts_left(at(5min)) == 0);
  CHECK(counts.restarts_left(at(11min)) == 1);
  CHECK(counts.restarts_left(at(16min)) == 2);
}

TEST_CASE("a fault that the system refused was not injected") {
  Counts counts({.nproc = 1}, {});
  counts.apply(FaultInjected{}, at(0s));
  counts.apply(FaultInjected{.injection = {}, .at = {}, .refused = "no permission"}, at(0s));
  CHECK(counts.faults_injected() == 1);
}
