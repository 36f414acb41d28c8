#include "launcher/report/failure_message.hpp"

#include "launcher/report/exit_message.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>

namespace {

using namespace ddp;
using namespace ddp::core;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{};

// Four workers of node 1 (ranks 4 to 7) that ran for 1.5 s; rank 6 failed and the others were
// stopped.
Verdict failed_with(ExitStatus status, bool oom_killed = false) {
  Verdict verdict;
  verdict.cause = WorkerFailed{2, status, oom_killed};
  for (int rank = 0; rank < 4; ++rank) {
    WorkerOutcome worker;
    worker.local_rank = rank;
    worker.pid = 100 + rank;
    worker.started = kStart;
    worker.ended = kStart + milliseconds(1500);
    worker.stopped_by_launcher = rank != 2;
    worker.status = rank == 2 ? status : ExitStatus(Signaled{SIGTERM, false});
    verdict.workers.push_back(worker);
  }
  return verdict;
}

VerdictContext context() {
  VerdictContext c;
  c.first_rank = 4;
  c.program = "/nowhere/worker";
  c.local_time = "12:00:00";
  return c;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("root cause first, its last lines, then those that were stopped") {
  auto verdict = failed_with(Exited{3});
  verdict.workers[2].last_step = 57;
  verdict.workers[0].status = Exited{0};
  auto c = context();
  c.tail = {"one", "two"};
  CHECK(verdict_text(verdict, c) ==
        "ddp-launch: rank 6 exited with code 3 (pid 102, step 57) 1.500 s after its start, at "
        "12:00:00\n"
        "  | one\n"
        "  | two\n"
        "ddp-launch: stopped by ddp-launch: ranks 5, 7 (SIGTERM), rank 4 (exit code 0)\n");
}

TEST_CASE("ranks that the same strike ended are not said to be stopped by ddp-launch") {
  auto verdict = failed_with(Signaled{SIGKILL, false});
  verdict.workers[3].status = Signaled{SIGKILL, false};
  auto c = context();
  c.injected = "kill@rank=6-7";
  c.ended_alike = {3};
  const auto text = verdict_text(verdict, c);
  CHECK(has(text,
            "injected: kill@rank=6-7\nddp-launch: ended by injected faults too: rank 7 (SIGKILL)\n"
            "ddp-launch: stopped by ddp-launch: ranks 4, 5 (SIGTERM)\n"));
}

TEST_CASE("a signal is told by name, with what is known of its origin") {
  CHECK(has(verdict_text(failed_with(Signaled{SIGSEGV, true}), context()),
            "was killed by SIGSEGV (core dumped)"));
  CHECK(has(verdict_text(failed_with(Signaled{SIGKILL, false}), context()), "not by ddp-launch"));
  const auto oom = verdict_text(failed_with(Signaled{SIGKILL, false}, true), context());
  CHECK(has(oom, "out-of-memory killer struck"));
  CHECK_FALSE(has(oom, "not by ddp-launch"));
}

TEST_CASE("an injected fault is told instead of a search for who did it") {
  auto c = context();
  c.injected = "kill@rank=6,step=50,gen=0";
  const auto text = verdict_text(failed_with(Signaled{SIGKILL}), c);
  CHECK(has(text, "at 12:00:00; injected: kill@rank=6,step=50,gen=0\n"));
  CHECK_FALSE(has(text, "not by ddp-launch"));
}

TEST_CASE("what could not be started says what was tried and why") {
  Verdict verdict;
  verdict.workers.resize(1);
  verdict.cause = WorkerNotStarted{0, {SpawnStage::exec, ENOENT}};
  CHECK(verdict_text(verdict, context()) ==
        "ddp-launch: rank 4 could not be started: /nowhere/worker: No such file or directory\n");
  verdict.cause = WorkerNotStarted{0, {SpawnStage::fork, EAGAIN}};
  CHECK(has(verdict_text(verdict, context()), "no process could be made: Resource temporarily"));
}

TEST_CASE("while a teardown waits, why it began, for whom, and what Ctrl-C does") {
  CHECK(waiting_text(WorkerFailed{2, Exited{4}, false}, {0, 1}, milliseconds(28900), false,
                     context()) ==
        "ddp-launch: rank 6 exited with code 4; waiting up to 29 s for ranks 4, 5 to end, Ctrl-C "
        "kills at once\n");
  CHECK(waiting_text(StoppedBySignal{SIGINT}, {0}, seconds(29), true, context()) ==
        "ddp-launch: stopped by SIGINT; waiting up to 29 s for rank 4 to end, another Ctrl-C kills "
        "at once\n");
}

TEST_CASE("what is late is waited for no longer, not less than that") {
  CHECK(has(waiting_text(StoppedBySignal{SIGINT}, {0}, milliseconds(-1400), true, context()),
            "waiting up to 0 s for"));
  CHECK(has(dying_text({}, 0, milliseconds(-300)), "waiting up to 0 s for"));
}

TEST_CASE("what would not die is named with its state and wait channel") {
  Verdict verdict;
  verdict.survivors.push_back({100, 1, 'D', "nfs_wait", "worker"});
  verdict.survivors.push_back({200, -1, 'D', "", "loader"});
  const auto text = verdict_text(verdict, context());
  CHECK(has(text, "rank 5 (pid 100) could not be killed: state D, waiting in nfs_wait\n"));
  CHECK(has(text, "pid 200 (loader) could not be killed: state D\n"));
}

TEST_CASE("a rank that had exited with 0 before is named as what others may have missed") {
  auto verdict = failed_with(Exited{1});
  verdict.failed = kStart + milliseconds(1500);
  verdict.workers[1].status = Exited{0};
  verdict.workers[1].ended = kStart + milliseconds(500);
  verdict.workers[1].stopped_by_launcher = false;
  CHECK(has(verdict_text(verdict, context()),
            "ddp-launch: rank 5 had exited with code 0, 1.000 s before\n"));
  verdict.workers[3].status = Exited{0};
  verdict.workers[3].ended = kStart + milliseconds(1000);
  CHECK(has(verdict_text(verdict, context()),
            "ranks 5, 7 had exited with code 0, the last 500 ms before\n"));
  // Not one that did so because it was asked to.
  verdict.workers[3].ended = kStart + milliseconds(1600);
  CHECK(has(verdict_text(verdict, context()), "rank 5 had exited"));
}

TEST_CASE("after a stop request each rank's end is told apart") {
  auto verdict = failed_with(Exited{0});
  verdict.cause = StoppedBySignal{SIGTERM, std::nullopt};
  for (auto& worker : verdict.workers) {
    worker.stopped_by_launcher = true;
    worker.last_signal_sent = SIGTERM;
  }
  verdict.workers[1].status = Exited{1};
  verdict.workers[3].status = Signaled{SIGKILL, false};
  verdict.workers[3].last_signal_sent = SIGKILL;
  auto c = context();
  c.tail = {"OSError: disk full"};
  CHECK(
      verdict_text(verdict, c) ==
      "ddp-launch: stopped by SIGTERM, at 12:00:00\n"
      "ddp-launch: rank 4 ended by SIGTERM; rank 5 exited with code 1; rank 6 exited with code 0; "
      "rank 7 needed SIGKILL\n"
      "  | OSError: disk full\n");
  CHECK(raised_while_stopping(verdict) == 1);
  c.tail = {"Traceback", "KeyboardInterrupt"};  // nobody caught it, which is no failure
  CHECK_FALSE(has(verdict_text(verdict, c), "Traceback"));
  // A SIGKILL that was not the launcher's is no end of the grace period.
  verdict.workers[3].last_signal_sent = SIGTERM;
  CHECK(has(verdict_text(verdict, c), "rank 7 was killed by SIGKILL"));
}

TEST_CASE("what a shell passes on of a signal is no error of the rank's own") {
  auto verdict = failed_with(Exited{143});
  verdict.cause = StoppedBySignal{SIGTERM, std::nullopt};
  verdict.workers[2].stopped_by_launcher = true;
  CHECK_FALSE(raised_while_stopping(verdict));
  CHECK_FALSE(raised_while_stopping(failed_with(Exited{1})));
}

TEST_CASE("what was left running and killed is named with its rank, where that is known") {
  Verdict verdict;
  verdict.killed = {{100, 0, Proof::session, "sleep 1000"}, {101, -1, Proof::none, "daemon"}};
  CHECK(verdict_text(verdict, context()) ==
        "ddp-launch: killed what was left running: pid 100 (sleep 1000) of rank 4, pid 101 "
        "(daemon)\n");
  verdict.killed.assign(20, {7, 1, Proof::session, "x"});
  CHECK(has(verdict_text(verdict, context()), "pid 7 (x) of rank 5 and 12 more\n"));
  CHECK(lingering_text({{100, 0, Proof::session, "sleep 1000"}}, 4, seconds(4)) ==
        "every rank has exited; waiting up to 4 s for what they left running: pid 100 (sleep 1000) "
        "of rank 4");
}

TEST_CASE("success has nothing to say") { CHECK(verdict_text(Verdict{}, context()).empty()); }

TEST_CASE("ranks are listed as ranges") {
  CHECK(rank_list({0}, 0) == "0");
  CHECK(rank_list({0, 1}, 0) == "0, 1");
  CHECK(rank_list({0, 1, 2, 3, 7, 9, 10, 11}, 0) == "0-3, 7, 9-11");
  CHECK(rank_list({0, 1, 2}, 8) == "8-10");
}
