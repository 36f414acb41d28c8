#include "launcher/core/faults/attribution.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

using namespace ddp::core;
using ddp::fault::Kind;
using ddp::fault::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(Nanoseconds since) { return TimePoint{} + since; }

InjectedFault fault(Kind kind, std::optional<LocalRank> rank, Value value = {}) {
  InjectedFault one;
  one.injection.kind = kind;
  one.injection.local_rank = rank;
  one.injection.value = std::move(value);
  one.at = at(seconds(1));
  return one;
}

// A group of three that failed after `since`.
Verdict failed(Cause cause, Nanoseconds since = seconds(2)) {
  Verdict verdict;
  verdict.workers.resize(3);
  verdict.failed = at(since);
  if (const auto* worker = std::get_if<WorkerFailed>(&cause))
    verdict.workers[static_cast<std::size_t>(worker->local_rank)].status = worker->status;
  verdict.cause = std::move(cause);
  return verdict;
}

Verdict killed(LocalRank rank, int signal, Nanoseconds since = seconds(2)) {
  return failed(WorkerFailed{rank, Signaled{signal}, false}, since);
}

Verdict exited(LocalRank rank, int code, Nanoseconds since = seconds(2)) {
  return failed(WorkerFailed{rank, Exited{code}, false}, since);
}

Verdict hung(std::optional<LocalRank> rank) { return failed(Hung{{}, rank}); }

bool is_behind(const InjectedFault& one, const Verdict& verdict) {
  return fault_behind({one}, verdict).has_value();
}

const Value kUsr1 = std::int64_t{SIGUSR1};
const Value kThree = std::int64_t{3};

}  // namespace

TEST_CASE("a rank killed by a signal is attributed to a fault that sends it") {
  CHECK(is_behind(fault(Kind::kill, 1), killed(1, SIGKILL)));
  CHECK(is_behind(fault(Kind::signal, 1, kUsr1), killed(1, SIGUSR1)));
  CHECK(is_behind(fault(Kind::signal, 1, kUsr1), exited(1, 5)));  // its handler
  CHECK(is_behind(fault(Kind::cpu_time, 1), killed(1, SIGXCPU)));
  CHECK(is_behind(fault(Kind::file_size, 1), killed(1, SIGXFSZ)));
  CHECK(is_behind(fault(Kind::segfault, 1), killed(1, SIGSEGV)));
  CHECK(is_behind(fault(Kind::memory, 1), killed(1, SIGSEGV)));
  CHECK(is_behind(fault(Kind::die_in_allreduce, 1), killed(1, SIGKILL)));

  CHECK_FALSE(is_behind(fault(Kind::kill, 1), exited(1, 3)));
  CHECK_FALSE(is_behind(fault(Kind::signal, 1, kUsr1), killed(1, SIGSEGV)));
  CHECK_FALSE(is_behind(fault(Kind::slow, 1, 0.5), killed(1, SIGSEGV)));
  CHECK_FALSE(is_behind(fault(Kind::stop, 1), killed(1, SIGKILL)));
  CHECK_FALSE(is_behind(fault(Kind::open_files, 1), killed(1, SIGSEGV)));
}

TEST_CASE("a rank that exits by itself may do so because of a fault at it or at a peer") {
  for (const Kind own : {Kind::memory, Kind::file_size, Kind::open_files, Kind::hide_device,
                         Kind::nan, Kind::corrupt_checkpoint, Kind::stop, Kind::slow})
    CHECK(is_behind(fault(own, 1), exited(1, 1)));
  CHECK(is_behind(fault(Kind::exit, 1, kThree), exited(1, 3)));
  CHECK_FALSE(is_behind(fault(Kind::exit, 1, kThree), exited(1, 4)));

  for (const Kind peers : {Kind::kill, Kind::stop, Kind::nan, Kind::skip_allreduce}) {
    CHECK(is_behind(fault(peers, 0), exited(1, 1)));
    CHECK(is_behind(fault(peers, 0), killed(1, SIGABRT)));
    CHECK_FALSE(is_behind(fault(peers, 0), killed(1, SIGSEGV)));
  }
  CHECK(is_behind(fault(Kind::port_taken, std::nullopt), exited(1, 1)));
  for (const Kind alone : {Kind::slow, Kind::pin, Kind::open_files, Kind::hide_device})
    CHECK_FALSE(is_behind(fault(alone, 0), exited(1, 1)));
}

TEST_CASE("a signal that a rank survived is not behind another rank's exit") {
  const auto sent = fault(Kind::signal, 0, kUsr1);
  Verdict verdict = exited(1, 1);
  CHECK_FALSE(is_behind(sent, verdict));
  verdict.workers[0].status = Exited{0};  // it exited, and the peer noticed
  CHECK(is_behind(sent, verdict));
  verdict.workers[0].stopped_by_launcher = true;
  CHECK_FALSE(is_behind(sent, verdict));
}

TEST_CASE("a fault that was undone is behind no failure that comes much later") {
  auto stop = fault(Kind::stop, 1);
  stop.over = at(milliseconds(1100));
  CHECK(is_behind(stop, exited(1, 1, milliseconds(2000))));
  CHECK_FALSE(is_behind(stop, exited(1, 1, milliseconds(2200))));
  const auto late = fault(Kind::spawn_delay, 1, Nanoseconds(milliseconds(100)));
  CHECK(is_behind(late, exited(0, 1, milliseconds(2000))));
  CHECK_FALSE(is_behind(late, exited(0, 1, milliseconds(2200))));
}

TEST_CASE("neither a refused fault nor a later one is behind a failure") {
  auto kill = fault(Kind::kill, 1);
  kill.refused = "Operation not permitted";
  CHECK_FALSE(is_behind(kill, killed(1, SIGKILL)));
  CHECK_FALSE(is_behind(fault(Kind::kill, 1), killed(1, SIGKILL, milliseconds(999))));
}

TEST_CASE("hangs, starts and early exits") {
  CHECK(is_behind(fault(Kind::stop, 1), hung(1)));
  CHECK(is_behind(fault(Kind::stop, 1), hung(0)));  // whichever rank is the root cause
  CHECK(is_behind(fault(Kind::slow, 1), hung(std::nullopt)));
  CHECK(is_behind(fault(Kind::exit, 0, std::int64_t{0}), hung(1)));
  CHECK_FALSE(is_behind(fault(Kind::kill, 1), hung(1)));

  const auto not_started = failed(WorkerNotStarted{1, {}});
  CHECK(is_behind(fault(Kind::spawn_fail, 1), not_started));
  CHECK_FALSE(is_behind(fault(Kind::spawn_fail, 0), not_started));
  CHECK_FALSE(is_behind(fault(Kind::spawn_delay, 1), not_started));

  const auto early = failed(ExitedEarly{1});
  CHECK(is_behind(fault(Kind::signal, 1, kUsr1), early));
  CHECK(is_behind(fault(Kind::exit, 1, std::int64_t{0}), early));
  CHECK_FALSE(is_behind(fault(Kind::stop, 0), early));
}

TEST_CASE("of several faults the one that explains the failure best is behind it") {
  const auto kill = fault(Kind::kill, 1);
  const auto slow = fault(Kind::slow, 1, 0.1);
  const auto usr1 = fault(Kind::signal, 1, kUsr1);
  const auto stop = fault(Kind::stop, 1);
  const auto other = fault(Kind::stop, 0);
  for (const auto& faults :
       {std::vector{kill, slow, usr1, stop}, std::vector{kill, other}, std::vector{kill, usr1}})
    CHECK(fault_behind(faults, killed(1, SIGKILL)) == 0);
  CHECK(fault_behind({slow, other}, exited(1, 1)) == 0);
  CHECK(fault_behind({slow, stop}, exited(1, 1)) == 1);  // the later
  CHECK(fault_behind({fault(Kind::cpu_time, 1), fault(Kind::file_size, 1)}, killed(1, SIGXCPU)) ==
        0);
  CHECK(fault_behind({fault(Kind::spawn_fail, 1), fault(Kind::spawn_delay, 1)},
                     failed(WorkerNotStarted{1, {}})) == 0);
  CHECK(fault_behind({usr1, slow}, killed(1, SIGSEGV)) == std::nullopt);
}
