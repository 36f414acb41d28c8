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

bool blamed(const InjectedFault& one, const Verdict& verdict) {
  return fault_behind({one}, verdict).has_value();
}

const Value kUsr1 = std::int64_t{SIGUSR1};
const Value kThree = std::int64_t{3};

}  // namespace

TEST_CASE("a rank that dies of a signal is put down to what sends it") {
  CHECK(blamed(fault(Kind::kill, 1), killed(1, SIGKILL)));
  CHECK(blamed(fault(Kind::signal, 1, kUsr1), killed(1, SIGUSR1)));
  CHECK(blamed(fault(Kind::signal, 1, kUsr1), exited(1, 5)));  // its handler
  CHECK(blamed(fault(Kind::cpu_time, 1), killed(1, SIGXCPU)));
  CHECK(blamed(fault(Kind::file_size, 1), killed(1, SIGXFSZ)));
  CHECK(blamed(fault(Kind::segfault, 1), killed(1, SIGSEGV)));
  CHECK(blamed(fault(Kind::memory, 1), killed(1, SIGSEGV)));
  CHECK(blamed(fault(Kind::die_in_allreduce, 1), killed(1, SIGKILL)));

  CHECK_FALSE(blamed(fault(Kind::kill, 1), exited(1, 3)));
  CHECK_FALSE(blamed(fault(Kind::signal, 1, kUsr1), killed(1, SIGSEGV)));
  CHECK_FALSE(blamed(fault(Kind::slow, 1, 0.5), killed(1, SIGSEGV)));
  CHECK_FALSE(blamed(fault(Kind::stop, 1), killed(1, SIGKILL)));
  CHECK_FALSE(blamed(fault(Kind::open_files, 1), killed(1, SIGSEGV)));
}

TEST_CASE("a rank that gives up may do so for what it or its peer suffers") {
  for (const Kind own : {Kind::memory, Kind::file_size, Kind::open_files, Kind::hide_device,
                         Kind::nan, Kind::corrupt_checkpoint, Kind::stop, Kind::slow})
    CHECK(blamed(fault(own, 1), exited(1, 1)));
  CHECK(blamed(fault(Kind::exit, 1, kThree), exited(1, 3)));
  CHECK_FALSE(blamed(fault(Kind::exit, 1, kThree), exited(1, 4)));

  for (const Kind peers : {Kind::kill, Kind::stop, Kind::nan, Kind::skip_allreduce}) {
    CHECK(blamed(fault(peers, 0), exited(1, 1)));
    CHECK(blamed(fault(peers, 0), killed(1, SIGABRT)));
    CHECK_FALSE(blamed(fault(peers, 0), killed(1, SIGSEGV)));
  }
  CHECK(blamed(fault(Kind::port_taken, std::nullopt), exited(1, 1)));
  for (const Kind alone : {Kind::slow, Kind::pin, Kind::open_files, Kind::hide_device})
    CHECK_FALSE(blamed(fault(alone, 0), exited(1, 1)));
}

TEST_CASE("a signal that a rank survived is not behind another rank's end") {
  const auto sent = fault(Kind::signal, 0, kUsr1);
  Verdict verdict = exited(1, 1);
  CHECK_FALSE(blamed(sent, verdict));
  verdict.workers[0].status = Exited{0};  // it left, and the peer noticed
  CHECK(blamed(sent, verdict));
  verdict.workers[0].stopped_by_launcher = true;
  CHECK_FALSE(blamed(sent, verdict));
}

TEST_CASE("what was undone is behind nothing that comes much later") {
  auto stop = fault(Kind::stop, 1);
  stop.over = at(milliseconds(1100));
  CHECK(blamed(stop, exited(1, 1, milliseconds(2000))));
  CHECK_FALSE(blamed(stop, exited(1, 1, milliseconds(2200))));
  const auto late = fault(Kind::spawn_delay, 1, Nanoseconds(milliseconds(100)));
  CHECK(blamed(late, exited(0, 1, milliseconds(2000))));
  CHECK_FALSE(blamed(late, exited(0, 1, milliseconds(2200))));
}

TEST_CASE("neither what was refused nor what came later is to blame") {
  auto kill = fault(Kind::kill, 1);
  kill.refused = "Operation not permitted";
  CHECK_FALSE(blamed(kill, killed(1, SIGKILL)));
  CHECK_FALSE(blamed(fault(Kind::kill, 1), killed(1, SIGKILL, milliseconds(999))));
}

TEST_CASE("hangs, starts and early exits") {
  CHECK(blamed(fault(Kind::stop, 1), hung(1)));
  CHECK(blamed(fault(Kind::stop, 1), hung(0)));  // whoever is found behind
  CHECK(blamed(fault(Kind::slow, 1), hung(std::nullopt)));
  CHECK(blamed(fault(Kind::exit, 0, std::int64_t{0}), hung(1)));
  CHECK_FALSE(blamed(fault(Kind::kill, 1), hung(1)));

  const auto not_started = failed(WorkerNotStarted{1, {}});
  CHECK(blamed(fault(Kind::spawn_fail, 1), not_started));
  CHECK_FALSE(blamed(fault(Kind::spawn_fail, 0), not_started));
  CHECK_FALSE(blamed(fault(Kind::spawn_delay, 1), not_started));

  const auto early = failed(ExitedEarly{1});
  CHECK(blamed(fault(Kind::signal, 1, kUsr1), early));
  CHECK(blamed(fault(Kind::exit, 1, std::int64_t{0}), early));
  CHECK_FALSE(blamed(fault(Kind::stop, 0), early));
}

TEST_CASE("of several at once the one that explains the most is to blame") {
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
