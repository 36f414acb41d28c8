// A group's life, event by event. random_events_test.cpp checks its invariants.
#include "launcher/core/group/group.hpp"

#include "launcher/core/exit_code.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <set>
#include <utility>

namespace {

using namespace ddp::core;
using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(milliseconds ms) { return TimePoint(Nanoseconds(ms)); }

template <class T>
std::vector<T> of(const Actions& actions) {
  std::vector<T> found;
  for (const auto& action : actions) {
    if (const auto* one = std::get_if<T>(&action)) found.push_back(*one);
  }
  return found;
}

Actions& operator+=(Actions& into, Actions more) {
  into.insert(into.end(), more.begin(), more.end());
  return into;
}

// Starts every worker of the generation that `actions` began; pids are 100 + rank.
Actions start_all(Group& group, TimePoint now) {
  Actions all;
  for (int rank = 0; group.phase() == Phase::launching; ++rank)
    all += group.step(WorkerStarted{rank, 100 + rank}, now);
  return all;
}

Group running_group(GroupConfig config) {
  Group group(std::move(config));
  group.step(StartRequested{}, at(milliseconds(0)));
  start_all(group, at(milliseconds(1)));
  REQUIRE(group.phase() == Phase::running);
  return group;
}

// The answers of a system where the ranks leave nothing running.
Actions end_generation(Group& group, TimePoint now) {
  Actions all = group.step(DescendantsGone{group.generation()}, now);
  all += group.step(GenerationEnded{}, now);
  return all;
}

int finish_code(const Actions& actions) {
  const auto finishes = of<Finish>(actions);
  REQUIRE(finishes.size() == 1);
  return finishes[0].exit_code;
}

}  // namespace

TEST_CASE("workers are started one by one, in order") {
  Group group({.nproc = 3});
  auto actions = group.step(StartRequested{}, at(milliseconds(0)));
  REQUIRE(of<BeginGeneration>(actions).size() == 1);
  for (int rank = 0; rank < 3; ++rank) {
    const auto spawns = of<SpawnWorker>(actions);
    REQUIRE(spawns.size() == 1);
    CHECK(spawns[0].local_rank == rank);
    actions = group.step(WorkerStarted{rank, 100 + rank}, at(milliseconds(1)));
  }
  CHECK(of<GroupRunning>(actions).size() == 1);
}

TEST_CASE("all exit 0: the run succeeds") {
  Group group = running_group({.nproc = 2});
  CHECK(group.step(WorkerExited{1, Exited{0}}, at(milliseconds(5))).empty());
  auto actions = group.step(WorkerExited{0, Exited{0}}, at(milliseconds(6)));
  CHECK(of<AwaitDescendants>(actions).size() == 1);
  actions = group.step(DescendantsGone{0}, at(milliseconds(6)));
  CHECK(of<EndGeneration>(actions).size() == 1);
  actions = group.step(GenerationEnded{}, at(milliseconds(7)));
  CHECK(finish_code(actions) == 0);
  CHECK_FALSE(of<GenerationOver>(actions)[0].verdict.cause);
}

TEST_CASE("a failure tears down every survivor at once and is the root cause") {
  Group group = running_group({.nproc = 3});
  auto actions = group.step(WorkerExited{1, Exited{3}}, at(milliseconds(10)));
  std::multiset<std::pair<int, int>> sent;
  for (const auto& s : of<SignalWorker>(actions)) sent.insert({s.local_rank, s.signal});
  CHECK(sent ==
        std::multiset<std::pair<int, int>>{{0, SIGTERM}, {2, SIGTERM}, {0, SIGCONT}, {2, SIGCONT}});
  REQUIRE(std::holds_alternative<SignalWorker>(actions.front()));  // before anything is reported
  // A victim that dies of it, and one that fails in its own way, change nothing.
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(milliseconds(11)));
  group.step(WorkerExited{2, Exited{9}}, at(milliseconds(12)));
  actions = end_generation(group, at(milliseconds(13)));
  CHECK(finish_code(actions) == 3);
  const auto verdict = of<GenerationOver>(actions)[0].verdict;
  CHECK(root_cause_rank(*verdict.cause) == 1);
  CHECK(verdict.workers[0].stopped_by_launcher);
  CHECK_FALSE(verdict.workers[1].stopped_by_launcher);
}

TEST_CASE("one grace period for all, then SIGKILL") {
  Group group = running_group({.nproc = 3, .shutdown_timeout = seconds(5)});
  group.step(WorkerExited{0, Signaled{SIGSEGV}}, at(seconds(1)));
  CHECK(group.kill_at() == at(seconds(6)));
  group.step(WorkerExited{1, Exited{0}}, at(seconds(4)));
  CHECK(group.kill_at() == at(seconds(6)));
  CHECK(of<SignalWorker>(group.step(Tick{}, at(milliseconds(5999)))).empty());
  const auto actions = group.step(Tick{}, at(seconds(6)));
  const auto sent = of<SignalWorker>(actions);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].local_rank == 2);
  CHECK(sent[0].signal == SIGKILL);
  CHECK(of<EndGeneration>(actions).size() == 1);
  CHECK_FALSE(group.next_deadline());
}

TEST_CASE("a second stop request skips the grace period") {
  for (const int second : {SIGINT, SIGTERM}) {
    Group group = running_group({.nproc = 2});
    auto actions = group.step(StopRequested{SIGTERM}, at(seconds(1)));
    CHECK(of<TeardownEscalated>(actions).empty());
    actions = group.step(StopRequested{second}, at(seconds(2)));
    REQUIRE(of<TeardownEscalated>(actions).size() == 1);
    CHECK(of<TeardownEscalated>(actions)[0].by_request == second);
    group.step(WorkerExited{0, Signaled{SIGKILL}}, at(seconds(2)));
    group.step(WorkerExited{1, Signaled{SIGKILL}}, at(seconds(2)));
    CHECK(finish_code(group.step(GenerationEnded{}, at(seconds(2)))) == 128 + SIGTERM);
  }
}

TEST_CASE("after a failure SIGINT skips the grace period, SIGTERM does not") {
  for (const int signal : {SIGINT, SIGTERM}) {
    Group group = running_group({.nproc = 2, .restart = {.max_restarts = 5}});
    group.step(WorkerExited{0, Exited{4}}, at(seconds(1)));
    const auto actions = group.step(StopRequested{signal}, at(seconds(2)));
    CHECK(of<TeardownEscalated>(actions).size() == (signal == SIGINT ? 1 : 0));
    group.step(WorkerExited{1, Signaled{SIGTERM}}, at(seconds(2)));
    // The root cause's code, and no restart although some are left.
    CHECK(finish_code(end_generation(group, at(seconds(2)))) == 4);
  }
}

TEST_CASE("a stop request between two spawns starts no more workers") {
  Group group({.nproc = 200});
  group.step(StartRequested{}, at(milliseconds(0)));
  for (int rank = 0; rank < 99; ++rank)
    group.step(WorkerStarted{rank, 100 + rank}, at(milliseconds(1)));
  auto actions = group.step(StopRequested{SIGINT}, at(milliseconds(2)));
  CHECK(of<SpawnWorker>(actions).empty());
  // The one that was under way gets the stop signal like the others, and no other follows.
  actions = group.step(WorkerStarted{99, 199}, at(milliseconds(2)));
  CHECK(of<SpawnWorker>(actions).empty());
  REQUIRE(of<SignalWorker>(actions).size() == 1);
  for (int rank = 0; rank < 100; ++rank)
    actions = group.step(WorkerExited{rank, Signaled{SIGTERM}}, at(milliseconds(3)));
  CHECK(of<AwaitDescendants>(actions).size() == 1);
  CHECK(finish_code(end_generation(group, at(milliseconds(4)))) == 130);
}

TEST_CASE("a worker that cannot be started fails the group") {
  Group group({.nproc = 3, .restart = {.max_restarts = 3}});
  group.step(StartRequested{}, at(milliseconds(0)));
  group.step(WorkerStarted{0, 100}, at(milliseconds(1)));
  auto actions = group.step(SpawnFailed{1, {SpawnStage::exec, ENOENT}}, at(milliseconds(2)));
  CHECK(of<SignalWorker>(actions).size() == 2);  // SIGTERM and SIGCONT to rank 0
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(milliseconds(3)));
  actions = end_generation(group, at(milliseconds(4)));
  CHECK(finish_code(actions) == kNotFound);  // never retried
  const auto decision = of<GenerationOver>(actions)[0].decision;
  REQUIRE(decision);
  CHECK(std::get<GiveUp>(*decision).reason == GiveUp::Reason::not_retryable);
}

TEST_CASE("restarts come one attempt after another, and are counted") {
  Group group = running_group({.nproc = 1, .restart = {.max_restarts = 2, .crash_loop = 0}});
  milliseconds now(10);
  for (int generation = 0; generation < 3; ++generation) {
    CHECK(group.generation() == generation);
    auto actions = group.step(WorkerExited{0, Exited{1}}, at(now));
    CHECK(of<AwaitDescendants>(actions).size() == 1);
    CHECK(of<BeginGeneration>(actions).empty());  // not before the last one is gone
    actions = end_generation(group, at(now));
    if (generation == 2) {
      CHECK(finish_code(actions) == 1);
      break;
    }
    if (group.phase() == Phase::backing_off) {
      now = std::chrono::duration_cast<milliseconds>(group.next_deadline()->time_since_epoch()) +
            milliseconds(1);
      actions = group.step(Tick{}, at(now));
    }
    CHECK(of<BeginGeneration>(actions).size() == 1);
    start_all(group, at(now));
  }
  CHECK(group.restarts() == 2);
}

TEST_CASE("a stop request while backing off ends the run") {
  Group group = running_group({.nproc = 1, .restart = {.max_restarts = 9}});
  for (int i = 0; group.phase() != Phase::backing_off; ++i) {
    REQUIRE(i < 5);
    group.step(WorkerExited{0, Exited{1}}, at(seconds(i)));
    end_generation(group, at(seconds(i)));
    start_all(group, at(seconds(i)));
  }
  CHECK(finish_code(group.step(StopRequested{SIGHUP}, at(seconds(9)))) == 128 + SIGHUP);
}

TEST_CASE("early exit 0 is fine unless it is asked to fail") {
  Group lenient = running_group({.nproc = 2});
  CHECK(lenient.step(WorkerExited{0, Exited{0}}, at(seconds(1))).empty());
  Group strict = running_group({.nproc = 2, .early_exit_allowed = Nanoseconds(0)});
  const auto actions = strict.step(WorkerExited{0, Exited{0}}, at(seconds(1)));
  CHECK(of<TeardownBegan>(actions).size() == 1);
  strict.step(WorkerExited{1, Signaled{SIGTERM}}, at(seconds(1)));
  CHECK(finish_code(end_generation(strict, at(seconds(1)))) == 1);
}

TEST_CASE("what will not die ends the run with its own code and no restart") {
  Group group = running_group({.nproc = 1, .restart = {.max_restarts = 3}});
  group.step(StopRequested{SIGTERM}, at(seconds(1)));
  group.step(Tick{}, at(seconds(60)));
  const auto actions =
      group.step(GenerationEnded{{Survivor{100, 0, 'D', "nfs_wait", "worker"}}}, at(seconds(62)));
  CHECK(finish_code(actions) == kUnkillable);
}

TEST_CASE("time stopped by job control does not count against the grace period") {
  Group group = running_group({.nproc = 1, .shutdown_timeout = seconds(5)});
  group.step(StopRequested{SIGTERM}, at(seconds(1)));
  group.step(Suspended{seconds(100)}, at(seconds(102)));
  CHECK(group.kill_at() == at(seconds(106)));
  CHECK(group.next_deadline() == at(milliseconds(103500)));
}

TEST_CASE("what the ranks left running has what is left of the grace period, then SIGKILL") {
  Group group = running_group({.nproc = 2, .shutdown_timeout = seconds(10)});
  group.step(WorkerExited{0, Exited{3}}, at(seconds(1)));
  auto actions = group.step(WorkerExited{1, Signaled{SIGTERM}}, at(seconds(4)));
  REQUIRE(of<AwaitDescendants>(actions).size() == 1);
  CHECK(of<EndGeneration>(actions).empty());
  CHECK(group.phase() == Phase::lingering);
  CHECK(group.kill_at() == at(seconds(11)));
  CHECK(group.next_deadline() == at(seconds(6)));  // half of the period
  actions = group.step(Tick{}, at(seconds(6)));
  REQUIRE(of<SignalRest>(actions).size() == 1);
  CHECK(of<SignalRest>(actions)[0].signal == SIGTERM);
  CHECK(of<EndGeneration>(actions).empty());
  CHECK(group.step(Tick{}, at(milliseconds(10999))).empty());
  actions = group.step(Tick{}, at(seconds(11)));
  REQUIRE(of<EndGeneration>(actions).size() == 1);
  CHECK_FALSE(of<EndGeneration>(actions)[0].at_once);
  group.step(GenerationEnded{{}, {Leftover{7, 0, Proof::session, "loader"}}}, at(seconds(11)));
  CHECK(group.verdict().killed.size() == 1);
}

TEST_CASE("after success there is a linger period, unless it is 0") {
  Group group = running_group({.nproc = 1, .linger_timeout = seconds(4)});
  auto actions = group.step(WorkerExited{0, Exited{0}}, at(seconds(1)));
  REQUIRE(of<AwaitDescendants>(actions).size() == 1);
  CHECK(group.kill_at() == at(seconds(5)));
  CHECK(of<SignalRest>(group.step(Tick{}, at(seconds(3)))).size() == 1);
  actions = group.step(Tick{}, at(seconds(5)));
  CHECK(of<EndGeneration>(actions).size() == 1);
  CHECK(finish_code(group.step(GenerationEnded{}, at(seconds(5)))) == 0);

  Group none = running_group({.nproc = 1, .linger_timeout = seconds(0)});
  actions = none.step(WorkerExited{0, Exited{0}}, at(seconds(1)));
  CHECK(of<AwaitDescendants>(actions).empty());
  CHECK(of<EndGeneration>(actions).size() == 1);
}

TEST_CASE("the answer of an earlier attempt ends no linger period") {
  Group group = running_group({.nproc = 1});
  group.step(WorkerExited{0, Exited{0}}, at(seconds(1)));
  CHECK(group.step(DescendantsGone{7}, at(seconds(1))).empty());
  CHECK(group.phase() == Phase::lingering);
}

TEST_CASE("a stop request while a successful group lingers asks what is left, a second kills it") {
  Group group = running_group({.nproc = 1});
  group.step(WorkerExited{0, Exited{0}}, at(seconds(1)));
  auto actions = group.step(StopRequested{SIGINT}, at(seconds(2)));
  CHECK(of<SignalRest>(actions).size() == 1);
  actions = group.step(StopRequested{SIGTERM}, at(seconds(2)));
  REQUIRE(of<EndGeneration>(actions).size() == 1);
  CHECK(of<EndGeneration>(actions)[0].at_once);
  CHECK(finish_code(group.step(GenerationEnded{}, at(seconds(2)))) == 0);  // the ranks succeeded
}

TEST_CASE("SIGINT stays SIGINT, every other stop request is SIGTERM, --stop-signal wins") {
  const auto first_signal = [](int request, std::optional<int> chosen) {
    Group group = running_group({.nproc = 1, .stop_signal = chosen});
    const auto actions = group.step(StopRequested{request}, at(seconds(1)));
    return of<SignalWorker>(actions).at(0).signal;
  };
  CHECK(first_signal(SIGINT, {}) == SIGINT);
  for (const int request : {SIGTERM, SIGHUP, SIGQUIT}) CHECK(first_signal(request, {}) == SIGTERM);
  CHECK(first_signal(SIGINT, SIGUSR1) == SIGUSR1);
  Group failed = running_group({.nproc = 2, .stop_signal = SIGUSR1});
  const auto actions = failed.step(WorkerExited{0, Exited{1}}, at(seconds(1)));
  CHECK(of<SignalWorker>(actions).at(0).signal == SIGUSR1);
}

TEST_CASE("after SIGINT, SIGTERM follows halfway through the grace period") {
  Group group = running_group({.nproc = 1, .shutdown_timeout = seconds(8)});
  group.step(StopRequested{SIGINT}, at(seconds(1)));
  CHECK(group.step(Tick{}, at(seconds(4))).empty());
  const auto actions = group.step(Tick{}, at(seconds(5)));
  REQUIRE(of<SignalRest>(actions).size() == 1);
  CHECK(of<SignalRest>(actions)[0].signal == SIGTERM);
  CHECK(group.verdict().workers[0].last_signal_sent == SIGTERM);
}

TEST_CASE("the same request within a second is one request") {
  Group group = running_group({.nproc = 1});
  group.step(StopRequested{SIGTERM}, at(milliseconds(1000)));
  CHECK(group.step(StopRequested{SIGTERM}, at(milliseconds(1999))).empty());
  CHECK(of<TeardownEscalated>(group.step(StopRequested{SIGTERM}, at(milliseconds(2000)))).size() ==
        1);
  // Another signal is another request.
  Group other = running_group({.nproc = 1});
  other.step(StopRequested{SIGTERM}, at(milliseconds(1000)));
  CHECK(of<TeardownEscalated>(other.step(StopRequested{SIGINT}, at(milliseconds(1001)))).size() ==
        1);
}

TEST_CASE("the exit code shows whether every rank exited 0 after a stop request") {
  const auto code = [](std::optional<int> graceful, ExitStatus second) {
    Group group = running_group({.nproc = 2, .graceful_exit_code = graceful});
    group.step(StopRequested{SIGTERM}, at(seconds(1)));
    group.step(WorkerExited{0, Exited{0}}, at(seconds(2)));
    group.step(WorkerExited{1, second}, at(seconds(2)));
    return finish_code(end_generation(group, at(seconds(2))));
  };
  CHECK(code({}, Exited{0}) == 143);
  CHECK(code(0, Exited{0}) == 0);
  CHECK(code(9, Exited{0}) == 9);
  CHECK(code(0, Exited{1}) == 143);
  CHECK(code(0, Signaled{SIGTERM}) == 143);
}

TEST_CASE("an early exit fails the group only when the others run on for longer than allowed") {
  Group group = running_group({.nproc = 3, .early_exit_allowed = seconds(30)});
  CHECK(group.step(WorkerExited{1, Exited{0}}, at(seconds(1))).empty());
  CHECK(group.step(WorkerExited{0, Exited{0}}, at(seconds(9))).empty());  // counts from the first
  CHECK(group.next_deadline() == at(seconds(31)));
  const auto actions = group.step(Tick{}, at(seconds(31)));
  REQUIRE(of<TeardownBegan>(actions).size() == 1);
  const Cause cause = of<TeardownBegan>(actions)[0].cause;
  CHECK(std::get<ExitedEarly>(cause).local_rank == 1);
  // In time, it is no failure.
  Group in_time = running_group({.nproc = 2, .early_exit_allowed = seconds(30)});
  in_time.step(WorkerExited{1, Exited{0}}, at(seconds(1)));
  CHECK(of<AwaitDescendants>(in_time.step(WorkerExited{0, Exited{0}}, at(seconds(30)))).size() ==
        1);
}

TEST_CASE("machines that disagree end the run with 2, whatever restarts are left") {
  Group group = running_group({.nproc = 1, .restart = {.max_restarts = 3}});
  group.step(PeerDisagrees{"why"}, at(seconds(1)));
  CHECK(group.phase() == Phase::tearing_down);
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(seconds(2)));
  CHECK(finish_code(end_generation(group, at(seconds(2)))) == kUsage);
}

TEST_CASE("a disagreement that is found between two attempts ends the next") {
  Group group = running_group({.nproc = 1, .restart = {.max_restarts = 3}});
  group.step(WorkerExited{0, Exited{1}}, at(seconds(1)));
  CHECK(group.step(PeerDisagrees{"why"}, at(seconds(1))).empty());
  end_generation(group, at(seconds(1)));
  REQUIRE(group.phase() == Phase::launching);
  const auto actions = group.step(WorkerStarted{0, 101}, at(seconds(2)));
  CHECK(group.phase() == Phase::tearing_down);
  CHECK_FALSE(of<SignalWorker>(actions).empty());
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(seconds(3)));
  CHECK(finish_code(end_generation(group, at(seconds(3)))) == kUsage);
}
