// A group that hangs: examined, torn down, exit code 72, restarted.
#include "launcher/core/exit_code.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/record/run_record.hpp"

#include <doctest/doctest.h>

#include <csignal>

namespace {

using namespace ddp::core;
using std::chrono::seconds;

TimePoint at(int s) { return TimePoint(Nanoseconds(seconds(s))); }

template <class T>
const T* find(const Actions& actions) {
  for (const auto& action : actions) {
    if (const auto* one = std::get_if<T>(&action)) return one;
  }
  return nullptr;
}

Hang hang(HangKind kind = HangKind::no_progress) {
  Hang hang{.kind = kind, .limit = seconds(5), .ranks = {}};
  for (int rank = 0; rank < 3; ++rank) hang.ranks.push_back({.local_rank = rank});
  return hang;
}

Group running_group(int max_restarts = 0) {
  GroupConfig config{.nproc = 3};
  config.restart.max_restarts = max_restarts;
  config.restart.crash_loop = 2;
  Group group(std::move(config));
  group.step(StartRequested{}, at(0));
  for (int rank = 0; rank < 3; ++rank) group.step(WorkerStarted{rank, 100 + rank}, at(0));
  REQUIRE(group.phase() == Phase::running);
  return group;
}

// Every worker dies and the generation ends; what is decided then.
Actions end(Group& group, int s) {
  for (int rank = 0; rank < 3; ++rank) group.step(WorkerExited{rank, Signaled{SIGTERM}}, at(s));
  group.step(DescendantsGone{group.generation()}, at(s));
  REQUIRE(group.phase() == Phase::closing);
  return group.step(GenerationEnded{}, at(s));
}

std::vector<ProcessPicture> rank_1_stopped() {
  std::vector<ProcessPicture> pictures(3);
  pictures[1].activity = Activity::stopped;
  return pictures;
}

}  // namespace

TEST_CASE("a hung group is examined before it is torn down, and exits with 72") {
  Group group = running_group();
  auto actions = group.step(HangDetected{hang()}, at(10));
  REQUIRE(actions.size() == 1);
  REQUIRE(find<TakeEvidence>(actions));
  CHECK(find<TakeEvidence>(actions)->deadline == at(20));
  CHECK(group.phase() == Phase::examining);
  CHECK(group.next_deadline() == at(20));

  CHECK(group.step(ProcessesSeen{0, rank_1_stopped()}, at(11)).empty());
  CHECK(group.phase() == Phase::examining);
  actions = group.step(EvidenceTaken{0}, at(12));
  CHECK(find<SignalWorker>(actions)->signal == SIGTERM);
  REQUIRE(find<TeardownBegan>(actions));
  CHECK(group.phase() == Phase::tearing_down);
  actions = end(group, 13);
  const auto& verdict = find<GenerationOver>(actions)->verdict;
  CHECK(find<Finish>(actions)->exit_code == kHung);
  CHECK(exit_code_of(verdict) == 72);
  CHECK(verdict.failed == at(10));
  CHECK(root_cause_rank(*verdict.cause) == 1);
  CHECK(cause_name(*verdict.cause) == "hang");
  CHECK(std::get<Hung>(*verdict.cause).hang.ranks[1].process.activity == Activity::stopped);
}

TEST_CASE("a deadline, an exit or a stop request ends the examination; the hang stays the cause") {
  Group group = running_group(3);
  group.step(HangDetected{hang()}, at(10));
  group.step(ProcessesSeen{0, rank_1_stopped()}, at(11));
  Actions actions;
  bool restarted = true;
  SUBCASE("deadline") { actions = group.step(Tick{}, at(20)); }
  SUBCASE("death") { actions = group.step(WorkerExited{2, Signaled{SIGUSR1}}, at(11)); }
  SUBCASE("stop request") {
    actions = group.step(StopRequested{SIGINT}, at(11));
    restarted = false;
  }
  REQUIRE(find<TeardownBegan>(actions));
  // What comes too late changes nothing.
  CHECK(group.step(ProcessesSeen{0, rank_1_stopped()}, at(21)).empty());
  CHECK(group.step(EvidenceTaken{0}, at(21)).empty());
  actions = end(group, 22);
  const auto& verdict = find<GenerationOver>(actions)->verdict;
  CHECK(exit_code_of(verdict) == 72);
  CHECK(root_cause_rank(*verdict.cause) == 1);  // what was seen until then counts
  CHECK((find<BeginGeneration>(actions) != nullptr) == restarted);
}

TEST_CASE("a group can hang while it is still being launched") {
  Group group({.nproc = 2});
  group.step(StartRequested{}, at(0));
  CHECK(find<TakeEvidence>(group.step(HangDetected{hang(HangKind::not_ready)}, at(5))));
  CHECK(group.step(WorkerStarted{0, 100}, at(5)).empty());  // no further one is started
  const auto actions = group.step(EvidenceTaken{0}, at(6));
  CHECK(find<SignalWorker>(actions)->local_rank == 0);
  CHECK(find<AwaitDescendants>(group.step(WorkerExited{0, Signaled{SIGTERM}}, at(7))));
}

TEST_CASE("evidence that comes while the last worker is being started") {
  Group group({.nproc = 1});
  group.step(StartRequested{}, at(0));
  group.step(HangDetected{hang(HangKind::not_ready)}, at(5));
  CHECK_FALSE(find<EndGeneration>(group.step(EvidenceTaken{0}, at(6))));
  CHECK(find<SignalWorker>(group.step(WorkerStarted{0, 100}, at(7)))->signal == SIGTERM);
}

TEST_CASE("a hang is tried again, and without progress counts as a crash loop") {
  Group group = running_group(10);
  group.step(HangDetected{hang()}, at(100));  // limit 5 s: 95 s went well
  group.step(EvidenceTaken{0}, at(101));
  CHECK(find<BeginGeneration>(end(group, 102)));
  for (int generation = 1;; ++generation) {
    for (int rank = 0; rank < 3; ++rank) group.step(WorkerStarted{rank, 200}, at(103));
    group.step(HangDetected{hang()}, at(108));  // it hung from the beginning
    group.step(EvidenceTaken{generation}, at(108));
    const auto actions = end(group, 140);
    const auto decision = *find<GenerationOver>(actions)->decision;
    if (generation == 1) {
      REQUIRE(std::holds_alternative<RestartIn>(decision));
      continue;
    }
    CHECK(std::get<GiveUp>(decision).reason == GiveUp::Reason::crash_loop);
    break;
  }
}

TEST_CASE("the end of the whole run's time ends it for good") {
  Group group = running_group(10);
  SUBCASE("while it runs") {
    group.step(HangDetected{hang(HangKind::run_timeout)}, at(60));
    group.step(EvidenceTaken{0}, at(61));
    const auto actions = end(group, 62);
    CHECK(std::get<GiveUp>(*find<GenerationOver>(actions)->decision).reason ==
          GiveUp::Reason::out_of_time);
    CHECK(find<Finish>(actions)->exit_code == 72);
  }
  SUBCASE("while it is torn down for another reason") {
    group.step(WorkerExited{0, Exited{3}}, at(59));
    CHECK(group.step(HangDetected{hang(HangKind::run_timeout)}, at(60)).empty());
    const auto actions = end(group, 62);
    CHECK(find<Finish>(actions)->exit_code == 3);
  }
  SUBCASE("while it waits to be restarted") {
    for (int i = 0; i < 2; ++i) {  // the second failure without progress backs off
      group.step(WorkerExited{0, Exited{3 + i}}, at(1));
      end(group, 1);
      if (i == 0)
        for (int rank = 0; rank < 3; ++rank) group.step(WorkerStarted{rank, 200}, at(1));
    }
    REQUIRE(group.phase() == Phase::backing_off);
    const auto actions = group.step(HangDetected{hang(HangKind::run_timeout)}, at(1));
    REQUIRE(find<RestartGivenUp>(actions));
    CHECK_FALSE(find<RestartGivenUp>(actions)->by_request);
    CHECK(find<Finish>(actions)->exit_code == 72);
  }
  SUBCASE("while it ends well") {
    for (int rank = 0; rank < 3; ++rank) group.step(WorkerExited{rank, Exited{0}}, at(59));
    CHECK(group.step(HangDetected{hang(HangKind::run_timeout)}, at(60)).empty());
    group.step(DescendantsGone{0}, at(60));
    CHECK(find<Finish>(group.step(GenerationEnded{}, at(60)))->exit_code == 0);
  }
  CHECK(group.phase() == Phase::finished);
}

TEST_CASE("a hang of a group that is already being torn down changes nothing") {
  Group group = running_group();
  group.step(WorkerExited{0, Exited{3}}, at(9));
  CHECK(group.step(HangDetected{hang()}, at(10)).empty());
  CHECK(find<Finish>(end(group, 11))->exit_code == 3);
}

TEST_CASE("the record of a run keeps the cause, not what each rank did") {
  RunRecord record;
  record.began(0);
  Verdict verdict;
  verdict.workers.resize(3);
  verdict.failed = at(10);
  verdict.cause = Hung{hang(), 2};
  record.ended(verdict);
  REQUIRE(record.incidents().size() == 1);
  const auto& incident = record.incidents()[0];
  CHECK(incident.rank == 2);
  CHECK(std::get<Hung>(incident.cause).hang.ranks.empty());
}
