// The group's life as tables of events, and as thousands of random sequences held against the
// invariants.
#include "launcher/core/group.hpp"

#include "launcher/core/exit_code.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <map>
#include <random>
#include <set>

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
  REQUIRE(std::holds_alternative<SignalWorker>(actions.front()));  // before anything is told
  // A victim that dies of it, and one that fails in its own way, change nothing.
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(milliseconds(11)));
  group.step(WorkerExited{2, Exited{9}}, at(milliseconds(12)));
  actions = group.step(GenerationEnded{}, at(milliseconds(13)));
  CHECK(finish_code(actions) == 3);
  const auto verdict = of<GenerationOver>(actions)[0].verdict;
  CHECK(blamed_rank(*verdict.cause) == 1);
  CHECK(verdict.workers[0].stopped_by_launcher);
  CHECK_FALSE(verdict.workers[1].stopped_by_launcher);
}

TEST_CASE("one grace period for all, then SIGKILL") {
  Group group = running_group({.nproc = 3, .shutdown_timeout = seconds(5)});
  group.step(WorkerExited{0, Signaled{SIGSEGV}}, at(seconds(1)));
  CHECK(group.next_deadline() == at(seconds(6)));
  group.step(WorkerExited{1, Exited{0}}, at(seconds(4)));
  CHECK(group.next_deadline() == at(seconds(6)));
  CHECK(group.step(Tick{}, at(milliseconds(5999))).empty());
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
    CHECK(finish_code(group.step(GenerationEnded{}, at(seconds(2)))) == 4);
  }
}

TEST_CASE("a stop request between two spawns starts no more workers") {
  Group group({.nproc = 200});
  group.step(StartRequested{}, at(milliseconds(0)));
  for (int rank = 0; rank < 99; ++rank)
    group.step(WorkerStarted{rank, 100 + rank}, at(milliseconds(1)));
  auto actions = group.step(StopRequested{SIGINT}, at(milliseconds(2)));
  CHECK(of<SpawnWorker>(actions).empty());
  // The one that was under way is told to go like the others, and no other follows.
  actions = group.step(WorkerStarted{99, 199}, at(milliseconds(2)));
  CHECK(of<SpawnWorker>(actions).empty());
  REQUIRE(of<SignalWorker>(actions).size() == 1);
  for (int rank = 0; rank < 100; ++rank)
    actions = group.step(WorkerExited{rank, Signaled{SIGTERM}}, at(milliseconds(3)));
  CHECK(of<EndGeneration>(actions).size() == 1);
  CHECK(finish_code(group.step(GenerationEnded{}, at(milliseconds(4)))) == 130);
}

TEST_CASE("a worker that cannot be started fails the group") {
  Group group({.nproc = 3, .restart = {.max_restarts = 3}});
  group.step(StartRequested{}, at(milliseconds(0)));
  group.step(WorkerStarted{0, 100}, at(milliseconds(1)));
  auto actions = group.step(SpawnFailed{1, {SpawnStage::exec, ENOENT}}, at(milliseconds(2)));
  CHECK(of<SignalWorker>(actions).size() == 2);  // SIGTERM and SIGCONT to rank 0
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(milliseconds(3)));
  actions = group.step(GenerationEnded{}, at(milliseconds(4)));
  CHECK(finish_code(actions) == kNotFound);  // never retried
  const auto decision = of<GenerationOver>(actions)[0].decision;
  REQUIRE(decision);
  CHECK(std::get<GiveUp>(*decision).reason == GiveUp::Reason::not_retryable);
}

TEST_CASE("restarts come one generation after another, and are counted") {
  Group group = running_group({.nproc = 1, .restart = {.max_restarts = 2, .crash_loop = 0}});
  milliseconds now(10);
  for (int generation = 0; generation < 3; ++generation) {
    CHECK(group.generation() == generation);
    auto actions = group.step(WorkerExited{0, Exited{1}}, at(now));
    CHECK(of<EndGeneration>(actions).size() == 1);
    CHECK(of<BeginGeneration>(actions).empty());  // not before the last one is gone
    actions = group.step(GenerationEnded{}, at(now));
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
    group.step(GenerationEnded{}, at(seconds(i)));
    start_all(group, at(seconds(i)));
  }
  CHECK(finish_code(group.step(StopRequested{SIGHUP}, at(seconds(9)))) == 128 + SIGHUP);
}

TEST_CASE("early exit 0 is fine unless it is asked to fail") {
  Group lenient = running_group({.nproc = 2});
  CHECK(lenient.step(WorkerExited{0, Exited{0}}, at(seconds(1))).empty());
  Group strict = running_group({.nproc = 2, .early_exit_fails = true});
  const auto actions = strict.step(WorkerExited{0, Exited{0}}, at(seconds(1)));
  CHECK(of<TeardownBegan>(actions).size() == 1);
  strict.step(WorkerExited{1, Signaled{SIGTERM}}, at(seconds(1)));
  CHECK(finish_code(strict.step(GenerationEnded{}, at(seconds(1)))) == 1);
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
  CHECK(group.next_deadline() == at(seconds(106)));
}

// A supervisor that answers as the system would, in random order and with random news in between.
TEST_CASE("random event sequences keep the invariants") {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto dice = [&](int sides) {
      return static_cast<int>(random() % static_cast<unsigned>(sides));
    };
    GroupConfig config{.nproc = 1 + dice(5), .shutdown_timeout = seconds(dice(3))};
    config.early_exit_fails = dice(2) == 0;
    config.restart.max_restarts = dice(4);
    Group group(config);

    TimePoint now = at(seconds(1));
    std::map<int, bool> alive;  // rank -> started and not ended
    std::vector<SpawnWorker> spawning;
    bool ending = false;
    int generation = -1;
    int finishes = 0;
    int next_pid = 100;

    const auto carry_out = [&](const Actions& actions) {
      for (const auto& action : actions) {
        REQUIRE(finishes == 0);  // Finish is the last action there is
        if (const auto* begin = std::get_if<BeginGeneration>(&action)) {
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
          REQUIRE_FALSE(ending);
          REQUIRE(spawning.empty());
          REQUIRE(begin->generation == ++generation);
          REQUIRE(generation <= config.restart.max_restarts);
          alive.clear();
        } else if (const auto* spawn = std::get_if<SpawnWorker>(&action)) {
          REQUIRE(spawn->generation == generation);
          REQUIRE(alive.count(spawn->local_rank) == 0);
          spawning.push_back(*spawn);
          REQUIRE(spawning.size() == 1);
        } else if (const auto* signal = std::get_if<SignalWorker>(&action)) {
          REQUIRE(alive[signal->local_rank]);
        } else if (std::holds_alternative<EndGeneration>(action)) {
          REQUIRE_FALSE(ending);
          REQUIRE(spawning.empty());
          ending = true;
        } else if (const auto* over = std::get_if<GenerationOver>(&action)) {
          for (const auto& worker : over->verdict.workers) {
            REQUIRE((worker.pid == 0 || worker.status || !over->verdict.survivors.empty()));
          }
        } else if (std::holds_alternative<Finish>(action)) {
          ++finishes;
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
        }
      }
    };

    carry_out(group.step(StartRequested{}, now));
    for (int i = 0; i < 400 && finishes == 0; ++i) {
      now += milliseconds(dice(400));
      std::vector<int> living;
      for (const auto& [rank, is_alive] : alive) {
        if (is_alive) living.push_back(rank);
      }
      const int what = dice(8);
      if (!spawning.empty() && what < 4) {
        const auto spawn = spawning.back();
        spawning.pop_back();
        if (dice(20) == 0) {
          carry_out(group.step(SpawnFailed{spawn.local_rank, {SpawnStage::fork, EAGAIN}}, now));
        } else {
          alive[spawn.local_rank] = true;
          carry_out(group.step(WorkerStarted{spawn.local_rank, next_pid++}, now));
        }
      } else if (!living.empty() && what < 6) {
        const int rank = living[static_cast<std::size_t>(dice(static_cast<int>(living.size())))];
        alive[rank] = false;
        const ExitStatus status = dice(3) != 0   ? ExitStatus(Exited{0})
                                  : dice(2) == 0 ? ExitStatus(Exited{1})
                                                 : ExitStatus(Signaled{SIGKILL});
        carry_out(group.step(WorkerExited{rank, status}, now));
      } else if (ending && living.empty()) {
        ending = false;
        carry_out(group.step(GenerationEnded{}, now));
      } else if (what == 6 && dice(15) == 0) {
        carry_out(group.step(StopRequested{dice(2) == 0 ? SIGINT : SIGTERM}, now));
      } else {
        if (group.next_deadline() && dice(2) == 0) now = std::max(now, *group.next_deadline());
        carry_out(group.step(Tick{}, now));
      }
    }
    if (finishes == 0) {  // end what is still running, then it must finish
      carry_out(group.step(StopRequested{SIGTERM}, now));
      carry_out(group.step(StopRequested{SIGTERM}, now));
      if (!spawning.empty()) {
        spawning.clear();
        carry_out(group.step(SpawnFailed{0, {SpawnStage::fork, EAGAIN}}, now));
      }
      for (auto& [rank, is_alive] : alive) {
        if (!is_alive) continue;
        is_alive = false;
        carry_out(group.step(WorkerExited{rank, Signaled{SIGKILL}}, now));
      }
      if (ending) {
        ending = false;
        carry_out(group.step(GenerationEnded{}, now));
      }
    }
    REQUIRE(finishes == 1);
    CHECK(group.step(StopRequested{SIGTERM}, now).empty());
  }
}
