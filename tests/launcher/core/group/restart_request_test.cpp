// A restart that a user asks for.
#include "launcher/core/exit_code.hpp"
#include "launcher/core/group/group.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

using namespace ddp::core;
using std::chrono::seconds;

TimePoint at(int second) { return TimePoint(seconds(second)); }

template <class T>
std::vector<T> of(const Actions& actions) {
  std::vector<T> found;
  for (const auto& action : actions) {
    if (const auto* one = std::get_if<T>(&action)) found.push_back(*one);
  }
  return found;
}

Group running_pair(int max_restarts = 0) {
  GroupConfig config{.nproc = 2};
  config.restart.max_restarts = max_restarts;
  Group group(config);
  group.step(StartRequested{}, at(0));
  group.step(WorkerStarted{0, 100}, at(1));
  group.step(WorkerStarted{1, 101}, at(1));
  REQUIRE(group.phase() == Phase::running);
  return group;
}

void end_workers(Group& group) {
  group.step(WorkerExited{0, Signaled{SIGTERM}}, at(3));
  group.step(WorkerExited{1, Signaled{SIGTERM}}, at(3));
  group.step(DescendantsGone{group.generation()}, at(3));
}

const RestartRequested kRequest{{.pid = 7, .uid = 0, .user = "root"}};

}  // namespace

TEST_CASE("a requested restart follows without any restart left, and is not counted") {
  Group group = running_pair();
  for (int generation = 0; generation < 3; ++generation) {
    CHECK(group.may_restart());
    const auto actions = group.step(kRequest, at(2));
    const auto teardown = of<TeardownBegan>(actions);
    REQUIRE(teardown.size() == 1);
    CHECK(std::get<RestartedByRequest>(teardown[0].cause).by.user == "root");
    CHECK(teardown[0].signal == SIGTERM);
    CHECK_FALSE(group.may_restart());
    CHECK(group.step(kRequest, at(2)).empty());
    end_workers(group);
    const auto ended = group.step(GenerationEnded{}, at(4));
    CHECK(of<BeginGeneration>(ended).size() == 1);
    CHECK(group.generation() == generation + 1);
    CHECK(group.restarts() == 0);
    group.step(WorkerStarted{0, 100}, at(5));
    group.step(WorkerStarted{1, 101}, at(5));
  }
  // The next failure finds none left: it was not given one.
  group.step(WorkerExited{0, Exited{3}}, at(6));
  end_workers(group);
  const auto ended = group.step(GenerationEnded{}, at(7));
  REQUIRE(of<Finish>(ended).size() == 1);
  CHECK(of<Finish>(ended)[0].exit_code == 3);
}

TEST_CASE("a request ends the wait for a restart") {
  Group group = running_pair(5);
  for (int failure = 0; failure < 2; ++failure) {  // the first restart has no delay
    group.step(WorkerExited{0, Exited{3}}, at(2));
    end_workers(group);
    group.step(GenerationEnded{}, at(3));
    if (group.phase() == Phase::backing_off) break;
    group.step(WorkerStarted{0, 100}, at(3));
    group.step(WorkerStarted{1, 101}, at(3));
  }
  REQUIRE(group.phase() == Phase::backing_off);
  CHECK(of<BeginGeneration>(group.step(kRequest, at(3))).size() == 1);
}

TEST_CASE("a stop request after it gets no restart, and its own exit code") {
  Group group = running_pair();
  group.step(kRequest, at(2));
  SUBCASE("while the workers stop") {
    group.step(StopRequested{SIGTERM}, at(2));
    end_workers(group);
  }
  SUBCASE("while the processes are cleared away") {
    end_workers(group);
    REQUIRE(group.phase() == Phase::closing);
    group.step(StopRequested{SIGTERM}, at(3));
  }
  const auto ended = group.step(GenerationEnded{}, at(4));
  REQUIRE(of<Finish>(ended).size() == 1);
  CHECK(of<Finish>(ended)[0].exit_code == 128 + SIGTERM);
}

TEST_CASE("a process that cannot be killed allows no restart") {
  Group group = running_pair();
  group.step(kRequest, at(2));
  end_workers(group);
  const auto ended = group.step(GenerationEnded{{{.pid = 9}}, {}}, at(4));
  REQUIRE(of<Finish>(ended).size() == 1);
  CHECK(of<Finish>(ended)[0].exit_code == kUnkillable);
}
