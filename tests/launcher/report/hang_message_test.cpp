#include "launcher/report/hang_message.hpp"
#include "launcher/report/failure_message.hpp"

#include <doctest/doctest.h>

namespace {

using namespace ddp;
using namespace ddp::core;
using std::chrono::seconds;

RankStanding standing(int rank, std::optional<std::int64_t> step, std::string phase, Activity what,
                      std::string wait_channel = "") {
  RankStanding one{.local_rank = rank, .step = step, .phase = std::move(phase)};
  one.process.activity = what;
  one.process.wait_channel = std::move(wait_channel);
  one.process.state = what == Activity::stopped ? 'T' : 'S';
  return one;
}

Hang lagging() {
  Hang hang{.kind = HangKind::no_progress, .limit = seconds(30), .ranks = {}};
  for (int rank = 0; rank < 4; ++rank) {
    hang.ranks.push_back(rank == 2 ? standing(rank, 41, "train", Activity::stopped)
                                   : standing(rank, 42, "train", Activity::sleeping, "futex_wait"));
  }
  hang.ranks[2].behind = true;
  return hang;
}

}  // namespace

TEST_CASE("a hang names the rank that is behind and where the others wait") {
  CHECK(hang_text(lagging(), 2, {0}) ==
        "no new step for 30 s: rank 2 is behind at step 41 (phase train, stopped (T)); ranks "
        "0, 1, 3 wait at step 42 (phase train, asleep in futex_wait)");
  CHECK(hang_text(lagging(), 2, {8}).find("rank 10 is behind at step 41") != std::string::npos);
}

TEST_CASE("each limit has its own headline") {
  Hang hang{.kind = HangKind::not_ready, .limit = seconds(5), .ranks = {}};
  hang.ranks.push_back({.local_rank = 0, .phase = "load", .ready = true});
  hang.ranks.push_back({.local_rank = 1, .behind = true});
  CHECK(hang_text(hang, 1, {0}) ==
        "not ready within 5 s: rank 1 has not sent READY=1; rank 0 is ready (phase load)");
  hang.kind = HangKind::no_heartbeat;
  CHECK(hang_text(hang, {}, {0}) ==
        "no heartbeat for 5 s: rank 1 sends no WATCHDOG=1; rank 0 is alive (phase load)");
  hang.kind = HangKind::silent;
  hang.ranks[1].step = 3;
  CHECK(hang_text(hang, {}, {0}) ==
        "no output for 5 s: rank 1 is silent at step 3; rank 0 writes output (phase load)");
  hang.kind = HangKind::run_timeout;
  hang.ranks[1].behind = false;
  hang.ranks[0].ended = true;
  CHECK(hang_text(hang, {}, {0}) ==
        "the run exceeded its time limit of 5 s: rank 1 is at step 3; rank 0 has exited");
}

TEST_CASE("ranks that never reported a step are listed as such") {
  Hang hang{.kind = HangKind::no_progress, .limit = seconds(5), .ranks = {}};
  hang.ranks.push_back(standing(0, {}, "", Activity::running));
  hang.ranks.push_back(standing(1, {}, "", Activity::running));
  CHECK(hang_text(hang, {}, {0}) == "no step for 5 s: ranks 0, 1 reported no step (on the CPU)");
}

TEST_CASE("the root cause of a hang is not reported as waiting") {
  Hang hang{.kind = HangKind::no_progress, .limit = seconds(5), .ranks = {}};
  hang.ranks.push_back({.local_rank = 0, .step = 3});
  hang.ranks.push_back(standing(1, 3, "train", Activity::sleeping));
  CHECK(hang_text(hang, 1, {0}) ==
        "no new step for 5 s: rank 1 made no progress after step 3 (phase train, asleep); rank 0 "
        "waits at step 3");
  hang.ranks[0].ended = true;
  CHECK(
      hang_text(hang, 1, {0}) ==
      "no new step for 5 s: rank 1 made no progress after step 3 (phase train, asleep); rank 0 has "
      "exited");
}

TEST_CASE("a rank that is not started yet is reported as such") {
  for (const auto kind : {HangKind::run_timeout, HangKind::not_ready}) {
    Hang hang{.kind = kind, .limit = seconds(5), .ranks = {}};
    hang.ranks.push_back({.local_rank = 0, .started = false});
    hang.ranks.push_back(standing(1, 3, "", Activity::sleeping));
    CHECK(hang_text(hang, {}, {0}).find("rank 0 is not started yet") != std::string::npos);
  }
}

TEST_CASE("the root cause is listed apart from ranks in the same state") {
  Hang hang{.kind = HangKind::silent, .limit = seconds(5), .ranks = {}};
  for (int rank = 0; rank < 3; ++rank)
    hang.ranks.push_back(standing(rank, 7, "", Activity::sleeping));
  CHECK(hang_text(hang, 1, {0}).find("rank 1 writes output at step 7 (asleep); ranks 0, 2 write") !=
        std::string::npos);
}

TEST_CASE("the failure report of a hung attempt") {
  Verdict verdict;
  verdict.workers.resize(4);
  verdict.cause = Hung{lagging(), 2};
  for (int rank = 0; rank < 4; ++rank) {
    auto& worker = verdict.workers[static_cast<std::size_t>(rank)];
    worker = {.local_rank = rank, .pid = 100 + rank, .stopped_by_launcher = true};
    worker.status = Signaled{15, false};
  }
  VerdictContext context;
  context.local_time = "12:00:00.000";
  context.tail = {"the last line"};
  CHECK(verdict_text(verdict, context) ==
        "ddp-launch: " + hang_text(lagging(), 2, {0}) +
            "; detected at 12:00:00.000\n"
            "  | the last line\n"
            "ddp-launch: stopped by ddp-launch: ranks 0-3 (SIGTERM)\n");
  // Without a root cause no last lines are shown; it is still a failure.
  verdict.cause = Hung{lagging(), {}};
  context.tail.clear();
  CHECK(verdict_text(verdict, context).find("stopped by ddp-launch") != std::string::npos);
}

TEST_CASE("ranks that exited during hang diagnostics are listed separately") {
  Verdict verdict;
  verdict.workers.resize(4);
  verdict.cause = Hung{lagging(), 2};
  verdict.failed = TimePoint(seconds(40));
  for (int rank = 0; rank < 4; ++rank) {
    auto& worker = verdict.workers[static_cast<std::size_t>(rank)];
    worker = {.local_rank = rank, .pid = 100 + rank};
    worker.ended = TimePoint(seconds(rank == 0 ? 5 : 41));
    worker.stopped_by_launcher = rank == 3;
    if (rank == 0) worker.status = Exited{0};  // before it
    if (rank == 1) worker.status = Signaled{10, false};
    if (rank == 2) worker.status = Exited{1};
    if (rank == 3) worker.status = Signaled{15, false};
  }
  const auto text = verdict_text(verdict, {});
  CHECK(text.find("ddp-launch: exited during hang diagnostics: rank 1 (SIGUSR1), rank 2 "
                  "(exit code 1)\n"
                  "ddp-launch: stopped by ddp-launch: rank 3 (SIGTERM)\n") != std::string::npos);
}

TEST_CASE("a straggler is reported with its figures") {
  const Straggler slow{.local_rank = 2,
                       .own = std::chrono::microseconds(41250),
                       .median = std::chrono::milliseconds(10),
                       .factor = 4.125};
  CHECK(straggler_text(slow, 20, {4}) ==
        "ddp-launch: rank 6 is slow: 41.2 ms per step, median rank 10.0 ms (4.1 times), over 20 "
        "steps, measured by step arrival times\n");
}

TEST_CASE("the threads of a process are a table") {
  const ProcessSample before{
      TimePoint(seconds(1)),
      {{.tid = 7, .state = 'S', .name = "main"}, {.tid = 8, .state = 'R', .name = "loader"}}};
  auto after = before;
  after.at += std::chrono::milliseconds(200);
  after.threads[0].wait_channel = "futex_wait";
  after.threads[1].cpu_time = std::chrono::milliseconds(100);
  after.threads.push_back({.tid = 9, .state = 'S', .name = "late"});
  const auto text = tasks_text(3, 7, picture_of(before, after), before, after);
  CHECK(text.find("rank 3, pid 7: on the CPU") == 0);
  CHECK(text.find("futex_wait") != std::string::npos);
  CHECK(text.find("0.50  loader") != std::string::npos);
  CHECK(text.find("new  late") != std::string::npos);
}
