#include "launcher/core/group/restart_policy.hpp"

#include "launcher/core/exit_code.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>

namespace {

using namespace ddp::core;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const TimePoint kStart{};

Verdict failed(int code, TimePoint began, int rank = 0) {
  Verdict verdict;
  verdict.began = began;
  verdict.cause = WorkerFailed{rank, Exited{code}, false};
  verdict.workers.resize(2);
  return verdict;
}

Verdict with_step(Verdict verdict, std::int64_t step) {
  verdict.workers[0].last_step = step;
  return verdict;
}

bool granted(const RestartDecision& decision) {
  return std::holds_alternative<RestartIn>(decision);
}
Nanoseconds delay(const RestartDecision& decision) { return std::get<RestartIn>(decision).delay; }
GiveUp::Reason reason(const RestartDecision& decision) { return std::get<GiveUp>(decision).reason; }

}  // namespace

TEST_CASE("as many restarts as asked for") {
  RestartHistory history({.max_restarts = 2, .crash_loop = 0});
  CHECK(granted(history.decide(failed(1, kStart), kStart)));
  CHECK(granted(history.decide(failed(1, kStart), kStart)));
  CHECK(reason(history.decide(failed(1, kStart), kStart)) == GiveUp::Reason::no_restarts_left);
  CHECK(history.restarts() == 2);
}

TEST_CASE("the first restart comes at once, then they back off, up to a limit") {
  RestartHistory history(
      {.max_restarts = 100, .backoff = seconds(1), .max_backoff = seconds(8), .crash_loop = 0});
  CHECK(delay(history.decide(failed(1, kStart), kStart)) == Nanoseconds::zero());
  for (const int expected : {1, 2, 4, 8, 8, 8}) {
    const auto seen = delay(history.decide(failed(1, kStart), kStart));
    CHECK(seen >= Nanoseconds(seconds(expected)) * 9 / 10);
    CHECK(seen <= seconds(expected));
  }
}

TEST_CASE("progress forgets the back-off") {
  RestartHistory history({.max_restarts = 100, .crash_loop = 3});
  for (int i = 0; i < 20; ++i)
    CHECK(delay(history.decide(with_step(failed(1, kStart), 5), kStart)) == Nanoseconds::zero());
  // A worker that reports no steps has made progress by running long enough.
  CHECK(delay(history.decide(failed(1, kStart), kStart + seconds(11))) == Nanoseconds::zero());
}

TEST_CASE("a crash loop is the same rank failing the same way without progress") {
  RestartHistory same({.max_restarts = 100, .crash_loop = 3});
  CHECK(granted(same.decide(failed(7, kStart), kStart)));
  CHECK(granted(same.decide(failed(7, kStart), kStart)));
  const auto stop = same.decide(failed(7, kStart), kStart);
  REQUIRE(reason(stop) == GiveUp::Reason::crash_loop);
  CHECK(std::get<GiveUp>(stop).count == 3);

  RestartHistory other_rank({.max_restarts = 100, .crash_loop = 3});
  for (int i = 0; i < 10; ++i) CHECK(granted(other_rank.decide(failed(7, kStart, i % 2), kStart)));
  RestartHistory progress({.max_restarts = 100, .crash_loop = 3});
  for (int i = 0; i < 10; ++i) {
    const auto verdict = i % 2 == 0 ? failed(7, kStart) : with_step(failed(7, kStart), i);
    CHECK(granted(progress.decide(verdict, kStart)));
  }
}

TEST_CASE("within a window only its restarts count") {
  RestartHistory history({.max_restarts = 2, .window = minutes(10), .crash_loop = 0});
  CHECK(granted(history.decide(failed(1, kStart), kStart)));
  CHECK(granted(history.decide(failed(1, kStart), kStart + minutes(1))));
  RestartHistory full = history;
  CHECK(reason(full.decide(failed(1, kStart), kStart + minutes(2))) ==
        GiveUp::Reason::no_restarts_left);
  CHECK(granted(history.decide(failed(1, kStart), kStart + minutes(10) + seconds(1))));
}

TEST_CASE("an exit code that is not retryable leads to no restart") {
  RestartHistory history({.max_restarts = 3});
  CHECK(reason(history.decide(failed(127, kStart), kStart)) == GiveUp::Reason::not_retryable);
  for (const int error : {EACCES, ELOOP, ENAMETOOLONG}) {
    CAPTURE(error);
    Verdict not_started;
    not_started.cause = WorkerNotStarted{0, {SpawnStage::exec, error}};
    CHECK(exit_code_of(not_started) == kNotExecutable);
    CHECK(reason(history.decide(not_started, kStart)) == GiveUp::Reason::not_retryable);
  }
  Verdict stopped;
  stopped.cause = StoppedBySignal{SIGTERM};
  CHECK(reason(history.decide(stopped, kStart)) == GiveUp::Reason::stop_requested);
  Verdict stuck = failed(1, kStart);
  stuck.survivors.push_back({});
  CHECK(reason(history.decide(stuck, kStart)) == GiveUp::Reason::unkillable);
}

TEST_CASE("the same history gives the same delays") {
  const auto delays = [](std::uint64_t seed) {
    RestartHistory history({.max_restarts = 9, .crash_loop = 0, .jitter_seed = seed});
    std::vector<Nanoseconds> all;
    for (int i = 0; i < 6; ++i) all.push_back(delay(history.decide(failed(1, kStart), kStart)));
    return all;
  };
  CHECK(delays(1) == delays(1));
  CHECK(delays(1) != delays(2));
}

TEST_CASE("exit codes and signals that are excluded, or the only ones allowed") {
  const auto decide = [](RestartPolicy policy, ExitStatus status) {
    policy.max_restarts = 9;
    Verdict verdict = failed(1, kStart);
    verdict.cause = WorkerFailed{0, status, false};
    return RestartHistory(policy).decide(verdict, kStart);
  };
  const RestartPolicy excluded{.no_restart_on = {78, 128 + SIGILL}};
  CHECK(reason(decide(excluded, Exited{78})) == GiveUp::Reason::code_excluded);
  CHECK(reason(decide(excluded, Signaled{SIGILL})) == GiveUp::Reason::code_excluded);
  CHECK(granted(decide(excluded, Exited{77})));
  CHECK(granted(decide(excluded, Signaled{SIGSEGV})));
  const RestartPolicy only{.restart_on = std::vector<int>{3}};
  CHECK(granted(decide(only, Exited{3})));
  CHECK(reason(decide(only, Exited{4})) == GiveUp::Reason::code_excluded);
  // Excluded wins, and what can never work is never tried again.
  const RestartPolicy both{.no_restart_on = {3}, .restart_on = std::vector<int>{3, 127}};
  CHECK(reason(decide(both, Exited{3})) == GiveUp::Reason::code_excluded);
  CHECK(reason(decide(both, Exited{127})) == GiveUp::Reason::not_retryable);
}

TEST_CASE("a group that fails before it was ready is not restarted where that is asked for") {
  RestartHistory history({.max_restarts = 9, .restart_after_ready = true});
  Verdict verdict = failed(1, kStart);
  verdict.workers[0].ready = kStart;
  CHECK(reason(history.decide(verdict, kStart)) == GiveUp::Reason::failed_too_soon);
  verdict.workers[1].ready = kStart;
  CHECK(granted(history.decide(verdict, kStart)));
}

TEST_CASE("nor is one that fails sooner than a time") {
  const RestartPolicy policy{.max_restarts = 9, .restart_after = seconds(30)};
  Verdict verdict = failed(1, kStart);
  verdict.failed = kStart + milliseconds(29999);
  // When it is over does not count.
  CHECK(reason(RestartHistory(policy).decide(verdict, kStart + minutes(2))) ==
        GiveUp::Reason::failed_too_soon);
  verdict.failed = kStart + seconds(30);
  CHECK(granted(RestartHistory(policy).decide(verdict, kStart + minutes(2))));
}
