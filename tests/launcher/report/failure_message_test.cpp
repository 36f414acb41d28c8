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
  c.first_rank = {4};
  c.program = "/nowhere/worker";
  c.local_time = "12:00:00";
  return c;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the root cause comes first, then its last lines, then the stopped ranks") {
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

TEST_CASE("ranks that the same fault ended are not reported as stopped by ddp-launch") {
  auto verdict = failed_with(Signaled{SIGKILL, false});
  verdict.workers[3].status = Signaled{SIGKILL, false};
  auto c = context();
  c.injected = "kill@rank=6-7";
  c.ended_alike = {3};
  const auto text = verdict_text(verdict, c);
  CHECK(has(text,
            "injected: kill@rank=6-7\nddp-launch: also ended by injected faults: rank 7 (SIGKILL)\n"
            "ddp-launch: stopped by ddp-launch: ranks 4, 5 (SIGTERM)\n"));
}

TEST_CASE("a signal is reported by name with its known origin") {
  CHECK(has(verdict_text(failed_with(Signaled{SIGSEGV, true}), context()),
            "was killed by SIGSEGV (core dumped)"));
  CHECK(has(verdict_text(failed_with(Signaled{SIGKILL, false}), context()),
            "not killed by ddp-launch"));
  const auto oom = verdict_text(failed_with(Signaled{SIGKILL, false}, true), context());
  CHECK(has(oom, "killed by the kernel's OOM killer: out of memory"));
  CHECK_FALSE(has(oom, "not killed by ddp-launch"));
}

TEST_CASE("an injected fault replaces the guess about the origin of a SIGKILL") {
  auto c = context();
  c.injected = "kill@rank=6,step=50,gen=0";
  const auto text = verdict_text(failed_with(Signaled{SIGKILL}), c);
  CHECK(has(text, "at 12:00:00; injected: kill@rank=6,step=50,gen=0\n"));
  CHECK_FALSE(has(text, "not killed by ddp-launch"));
}

TEST_CASE("a failed start names the program, the step that failed and the reason") {
  Verdict verdict;
  verdict.workers.resize(1);
  verdict.cause = WorkerNotStarted{0, {SpawnStage::exec, ENOENT}};
  CHECK(verdict_text(verdict, context()) ==
        "ddp-launch: rank 4 could not be started: /nowhere/worker: No such file or directory\n");
  verdict.cause = WorkerNotStarted{0, {SpawnStage::fork, EAGAIN}};
  CHECK(has(verdict_text(verdict, context()), "cannot create a process: Resource temporarily"));
}

TEST_CASE("the waiting line names the cause, the ranks, the time left and Ctrl-C") {
  CHECK(waiting_text(WorkerFailed{2, Exited{4}, false}, {0, 1}, milliseconds(28900), false,
                     context()) ==
        "ddp-launch: rank 6 exited with code 4; waiting up to 29 s for ranks 4, 5 to exit; Ctrl-C "
        "kills at once\n");
  CHECK(
      waiting_text(StoppedBySignal{SIGINT}, {0}, seconds(29), true, context()) ==
      "ddp-launch: stopped by SIGINT; waiting up to 29 s for rank 4 to exit; another Ctrl-C kills "
      "at once\n");
}

TEST_CASE("the time left is never negative") {
  CHECK(has(waiting_text(StoppedBySignal{SIGINT}, {0}, milliseconds(-1400), true, context()),
            "waiting up to 0 s for"));
  CHECK(has(dying_text({}, {0}, milliseconds(-300)), "waiting up to 0 s for"));
}

TEST_CASE("a survivor is named with its state and wait channel") {
  Verdict verdict;
  verdict.survivors.push_back({100, 1, 'D', "nfs_wait", "worker"});
  verdict.survivors.push_back({200, -1, 'D', "", "loader"});
  const auto text = verdict_text(verdict, context());
  CHECK(has(text, "rank 5 (pid 100) could not be killed: state D, waiting in nfs_wait\n"));
  CHECK(has(text, "pid 200 (loader) could not be killed: state D\n"));
}

TEST_CASE("ranks that exited with code 0 before the failure are named") {
  auto verdict = failed_with(Exited{1});
  verdict.failed = kStart + milliseconds(1500);
  verdict.workers[1].status = Exited{0};
  verdict.workers[1].ended = kStart + milliseconds(500);
  verdict.workers[1].stopped_by_launcher = false;
  CHECK(has(verdict_text(verdict, context()),
            "ddp-launch: rank 5 exited with code 0, 1.000 s earlier\n"));
  verdict.workers[3].status = Exited{0};
  verdict.workers[3].ended = kStart + milliseconds(1000);
  CHECK(has(verdict_text(verdict, context()),
            "ranks 5, 7 exited with code 0, the last 500 ms earlier\n"));
  // Not one that did so because it was asked to.
  verdict.workers[3].ended = kStart + milliseconds(1600);
  CHECK(has(verdict_text(verdict, context()), "rank 5 exited with code 0, 1.000 s earlier"));
}

TEST_CASE("after a stop request the exit of each rank is reported") {
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
  c.tail = {"Traceback", "KeyboardInterrupt"};
  c.exception.text = "KeyboardInterrupt";  // uncaught, which is not a failure
  CHECK_FALSE(has(verdict_text(verdict, c), "Traceback"));
  // A SIGKILL that was not the launcher's is no end of the grace period.
  verdict.workers[3].last_signal_sent = SIGTERM;
  CHECK(has(verdict_text(verdict, c), "rank 7 was killed by SIGKILL"));
}

TEST_CASE("after Ctrl-C the error of a rank that lost an interrupted peer is not quoted") {
  auto verdict = failed_with(Exited{1});
  verdict.cause = StoppedBySignal{SIGINT, std::nullopt};
  for (auto& worker : verdict.workers) {
    worker.status = Exited{0};
    worker.stopped_by_launcher = true;
    worker.last_signal_sent = SIGINT;
  }
  verdict.workers[2].status = Exited{1};
  CHECK(raised_while_stopping(verdict) == 2);  // a checkpoint that failed
  verdict.workers[1].status = Signaled{SIGINT, false};
  CHECK_FALSE(raised_while_stopping(verdict));
  // SIGTERM ends a rank that does not handle it, whose peers may still fail for a reason.
  verdict.cause = StoppedBySignal{SIGTERM, std::nullopt};
  verdict.workers[1].status = Signaled{SIGTERM, false};
  CHECK(raised_while_stopping(verdict) == 2);
}

TEST_CASE("exit code 128+n of a shell is not an error of the rank") {
  auto verdict = failed_with(Exited{143});
  verdict.cause = StoppedBySignal{SIGTERM, std::nullopt};
  verdict.workers[2].stopped_by_launcher = true;
  CHECK_FALSE(raised_while_stopping(verdict));
  CHECK_FALSE(raised_while_stopping(failed_with(Exited{1})));
}

TEST_CASE("killed leftover processes are named with their rank if it is known") {
  Verdict verdict;
  verdict.killed = {{100, 0, Proof::session, "sleep 1000"}, {101, -1, Proof::none, "daemon"}};
  CHECK(verdict_text(verdict, context()) ==
        "ddp-launch: killed leftover processes: pid 100 (sleep 1000) of rank 4, pid 101 "
        "(daemon)\n");
  verdict.killed.assign(20, {7, 1, Proof::session, "x"});
  CHECK(has(verdict_text(verdict, context()), "pid 7 (x) of rank 5 and 12 more\n"));
  CHECK(lingering_text({{100, 0, Proof::session, "sleep 1000"}}, {4}, seconds(4)) ==
        "all ranks exited; waiting up to 4 s for leftover processes: pid 100 (sleep 1000) "
        "of rank 4");
}

TEST_CASE("the exception that ended a rank is in the first line") {
  auto c = context();
  c.exception = {.text = "ValueError: bad", .traceback = {"  File", "ValueError: bad"}};
  c.tail = {"step 1", "  File", "ValueError: bad", "terminate called"};
  const std::string first =
      "ddp-launch: rank 6 exited with code 1: ValueError: bad (pid 102) 1.500 s after its start, "
      "at 12:00:00\n";
  const std::string rest = "ddp-launch: stopped by ddp-launch: ranks 4, 5, 7 (SIGTERM)\n";
  // Recognised in the output: the last lines have it.
  CHECK(verdict_text(failed_with(Exited{1}), c) == first +
                                                       "  | step 1\n  |   File\n"
                                                       "  | ValueError: bad\n"
                                                       "  | terminate called\n" +
                                                       rest);
  // Recorded by the rank: its traceback instead of lines that repeat it, then what follows them.
  c.exception.recorded = true;
  CHECK(verdict_text(failed_with(Exited{1}), c) ==
        first + "  |   File\n  | ValueError: bad\n  | terminate called\n" + rest);
  c.tail.pop_back();
  CHECK(verdict_text(failed_with(Exited{1}), c) ==
        first + "  |   File\n  | ValueError: bad\n" + rest);
  // All of a message's lines, once.
  c.exception.traceback = {"  File", "ValueError: bad", "one", "  ..."};
  c.tail = {"ValueError: bad", "[rank6]: one", "two"};
  CHECK(verdict_text(failed_with(Exited{1}), c) ==
        first + "  |   File\n  | ValueError: bad\n  | one\n  |   ...\n  | two\n" + rest);
  // The start of the message is no longer among the last lines.
  c.tail = {"[rank6]: one", "two", ""};
  CHECK(verdict_text(failed_with(Exited{1}), c) ==
        first + "  |   File\n  | ValueError: bad\n  | one\n  |   ...\n  | two\n" + rest);
  // Of a group, frames that were left out do not come back without their exceptions.
  c.tail = {"    | Traceback (most recent call last):", "    |   File \"m.py\"", "    | OSError"};
  CHECK(verdict_text(failed_with(Exited{1}), c) ==
        first + "  |   File\n  | ValueError: bad\n  | one\n  |   ...\n  |     | OSError\n" + rest);
  c.exception.traceback = {"  File", "ValueError: bad"};
  c.tail = {"\x1b[1mpkg.ValueError: bad\x1b[0m"};
  CHECK_FALSE(has(verdict_text(failed_with(Exited{1}), c), "pkg"));
  // Control: lines that do not repeat it are shown too.
  c.tail = {"terminate called"};
  CHECK(verdict_text(failed_with(Exited{1}), c) ==
        first + "  |   File\n  | ValueError: bad\n  | terminate called\n" + rest);
  c.exception.traceback.clear();
  CHECK(verdict_text(failed_with(Exited{1}), c) == first + "  | terminate called\n" + rest);
  CHECK(has(verdict_text(failed_with(Signaled{SIGABRT, false}), c),
            "rank 6 was killed by SIGABRT: ValueError: bad (pid 102)"));
}

TEST_CASE("an exception of another rank that came first is named") {
  auto c = context();
  c.earlier = EarlierException{3, "ValueError: bad", milliseconds(213)};
  CHECK(has(verdict_text(failed_with(Exited{1}), c),
            "ddp-launch: rank 7 recorded an exception 213 ms earlier: ValueError: bad\n"));
}

TEST_CASE("a success reports nothing") { CHECK(verdict_text(Verdict{}, context()).empty()); }

TEST_CASE("ranks are listed as ranges") {
  CHECK(rank_list({0}, {0}) == "0");
  CHECK(rank_list({0, 1}, {0}) == "0, 1");
  CHECK(rank_list({0, 1, 2, 3, 7, 9, 10, 11}, {0}) == "0-3, 7, 9-11");
  CHECK(rank_list({0, 1, 2}, {8}) == "8-10");
}
