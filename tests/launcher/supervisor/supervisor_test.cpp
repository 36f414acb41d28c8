// The life of a launch without a process: what is asked of the workers, what events.jsonl says and
// in which order, what the user reads, and the exit code.
#include "tests/launcher/supervisor/rig.hpp"

#include <algorithm>
#include <chrono>

namespace {

using namespace ddp;
using namespace ddp::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

const core::ExitStatus kSuccess = core::Exited{0};

Options restarting(int nproc, int restarts) {
  Options options = options_of(nproc);
  options.group.restart.max_restarts = restarts;
  return options;
}

}  // namespace

TEST_CASE("every rank exits with code 0") {
  Rig rig(options_of(2));
  rig.start();
  CHECK(rig.workers.calls == Lines{"begin", "start 0", "start 1"});
  rig.exit(0, kSuccess);
  CHECK_FALSE(rig.supervisor.exit_code());
  rig.exit(1, kSuccess);
  CHECK(rig.supervisor.exit_code() == 0);
  CHECK(rig.cleared == 1);
  CHECK(rig.events() == Lines{"run_started", "generation_began", "worker_started 0",
                              "worker_started 1", "group_running", "worker_exited 0",
                              "worker_exited 1", "processes_gone", "generation_ended",
                              "run_finished"});
  CHECK(rig.console().empty());
}

TEST_CASE("nothing is waited for once the run is over") {
  Rig rig(options_of(1));
  rig.start();
  rig.exit(0, kSuccess);
  REQUIRE(rig.supervisor.exit_code());
  CHECK(rig.loop.idle());
}

TEST_CASE("a rank fails: the survivors are stopped, then reported") {
  Rig rig(options_of(3));
  rig.start();
  rig.workers.write(1, "Traceback: no more data\n");
  rig.loop.run();
  rig.exit(1, core::Exited{3});
  CHECK(rig.supervisor.exit_code() == 3);
  const Lines tail(rig.workers.calls.begin() + 4, rig.workers.calls.end());
  CHECK(tail == Lines{"stop 0 15", "stop 2 15", "signal 0 18", "signal 2 18", "stop began 15",
                      "await", "end"});
  const auto events = rig.events();
  CHECK(Lines(events.end() - 9, events.end()) ==
        Lines{"worker_exited 1", "teardown_began 1", "worker_exited 0", "worker_exited 2",
              "processes_gone", "generation_ended 1", "failure 1", "last_lines 1", "run_finished"});
  CHECK_HAS(rig.event("last_lines"), R"("text":"Traceback: no more data\n")");
  CHECK_HAS(rig.event("worker_exited"), "\"code\":3");
  CHECK_HAS(rig.console(), "rank 1 exited with code 3 (pid ");
  CHECK_HAS(rig.console(), "  | Traceback: no more data\n");
  CHECK_HAS(rig.console(), "stopped by ddp-launch: ranks 0, 2 (SIGTERM)");
}

TEST_CASE("no line about a failure is written before the survivors have their signal") {
  Rig rig(options_of(2));
  rig.start();
  Lines written;
  rig.workers.stopping = [&] { written = rig.events(); };
  rig.workers.exit(1, core::Exited{1});  // without a turn of the loop
  REQUIRE_FALSE(written.empty());
  CHECK(written.back() == "worker_exited 1");
  CHECK(rig.events().back() == "teardown_began 1");
}

TEST_CASE("a failure is followed by a restart") {
  Rig rig(restarting(2, 1));
  rig.start();
  rig.step(0, 7);
  rig.exit(0, core::Signaled{SIGSEGV});
  CHECK(rig.discarded == 1);
  CHECK(rig.workers.count("start 0") == 2);
  CHECK_HAS(rig.console(), "rank 0 was killed by SIGSEGV");
  CHECK_HAS(rig.console(), "restarting the group");
  rig.exit(0, kSuccess);
  rig.exit(1, kSuccess);
  CHECK(rig.supervisor.exit_code() == 0);
  const auto events = rig.events();
  CHECK(std::count(events.begin(), events.end(), "generation_began") == 2);
  CHECK(events.back() == "run_finished");
  // What became of the failure is known at the end of the next attempt.
  CHECK_HAS(rig.event("failure"), "\"cause\":\"SIGSEGV\"");
  CHECK_HAS(rig.event("failure"), "next_exec_ns");
  CHECK(events[events.size() - 3] == "failure 0");
}

TEST_CASE("a restart waits for its backoff, and a stop request ends the wait") {
  Options options = restarting(1, 3);
  options.group.restart.backoff = options.group.restart.max_backoff = seconds(10);
  Rig rig(options);
  rig.start();
  rig.exit(0, core::Exited{1});  // the first restart comes at once
  rig.exit(0, core::Exited{1});
  CHECK(rig.workers.count("start 0") == 2);
  SUBCASE("the time passes") {
    rig.loop.advance(seconds(11));
    CHECK(rig.workers.count("start 0") == 3);
  }
  SUBCASE("SIGTERM") {
    rig.request_stop(SIGTERM);
    CHECK(rig.supervisor.exit_code() == 128 + SIGTERM);
    CHECK_HAS(rig.event("stop_requested"), "\"signal\":15");
    CHECK(rig.workers.count("start 0") == 2);
  }
}

TEST_CASE("the system refuses to start a rank") {
  Rig rig(options_of(3));
  rig.workers.refused[1] = {core::SpawnStage::exec, ENOENT};
  rig.start();
  CHECK(rig.supervisor.exit_code() == 127);
  CHECK(rig.workers.count("start 2") == 0);
  CHECK(rig.workers.count("stop 0 15") == 1);
  CHECK(rig.events() == Lines{"run_started", "generation_began", "worker_started 0",
                              "spawn_failed 1", "teardown_began 1", "worker_exited 0",
                              "processes_gone", "generation_ended 1", "failure 1", "run_finished"});
  CHECK_HAS(rig.console(), "train");
}

TEST_CASE("a stop request stops every rank with the same signal") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Rig rig(options_of(2));
    rig.start();
    rig.request_stop(signal);
    const int sent = signal == SIGINT ? SIGINT : SIGTERM;
    CHECK(rig.workers.count("stop 0 " + std::to_string(sent)) == 1);
    CHECK(rig.workers.count("stop 1 " + std::to_string(sent)) == 1);
    CHECK(rig.supervisor.exit_code() == 128 + signal);
  }
}

TEST_CASE("a stop request between two starts") {
  Rig rig(options_of(3));
  rig.supervisor.start();  // the answer to the first start is on its way
  rig.supervisor.publish(core::StopRequested{SIGTERM});
  rig.loop.run();
  CHECK(rig.workers.count("start 0") == 1);
  CHECK(rig.workers.count("start 1") == 0);
  CHECK(rig.workers.count("stop 0 15") == 1);
  CHECK(rig.supervisor.exit_code() == 128 + SIGTERM);
}

TEST_CASE("a stop request after the end changes nothing") {
  Rig rig(options_of(1));
  rig.start();
  rig.exit(0, kSuccess);
  rig.request_stop(SIGTERM);
  CHECK(rig.supervisor.exit_code() == 0);
  CHECK(rig.events().back() == "run_finished");
}

TEST_CASE("a second stop request kills at once") {
  Rig rig(options_of(2));
  rig.workers.deaf = {0, 1};
  rig.start();
  rig.request_stop(SIGINT);
  rig.loop.advance(seconds(2));
  CHECK_FALSE(rig.supervisor.exit_code());
  rig.request_stop(SIGINT);
  CHECK(rig.workers.count("kill 0 9") == 1);
  CHECK(rig.workers.count("kill 1 9") == 1);
  CHECK(rig.supervisor.exit_code() == 128 + SIGINT);
  CHECK_HAS(rig.event("killed"), "\"by_request\":true");
  CHECK_HAS(rig.console(), "SIGINT: killing ranks 0, 1 at once");
}

TEST_CASE("a rank that ignores its signal is killed after the grace period") {
  Options options = options_of(2);
  options.group.shutdown_timeout = seconds(30);
  Rig rig(options);
  rig.workers.deaf = {1};
  rig.start();
  rig.exit(0, core::Exited{5});
  rig.loop.advance(milliseconds(999));
  CHECK(rig.console().empty());
  rig.loop.advance(milliseconds(2));  // what is waited for, a second in
  CHECK_HAS(rig.console(), "rank 0 exited with code 5");
  CHECK_HAS(rig.console(), "waiting up to 29 s for rank 1");
  rig.loop.advance(seconds(15));
  CHECK(rig.workers.count("stop rest 15") == 1);
  CHECK(rig.workers.count("kill 1 9") == 0);
  rig.loop.advance(seconds(15));
  CHECK(rig.workers.count("kill 1 9") == 1);
  CHECK(rig.supervisor.exit_code() == 5);
  const auto events = rig.events();
  CHECK(Lines(events.end() - 7, events.end()) ==
        Lines{"teardown_began 0", "killed", "worker_exited 1", "processes_gone",
              "generation_ended 0", "failure 0", "run_finished"});
}

TEST_CASE("a Ctrl-Z does not use up the grace period") {
  Options options = options_of(2);
  options.group.shutdown_timeout = seconds(30);
  Rig rig(options);
  rig.workers.deaf = {1};
  rig.start();
  rig.exit(0, core::Exited{5});
  rig.workers.suspended = seconds(100);
  rig.supervisor.suspend();
  CHECK(rig.workers.count("continue 1") == 1);
  rig.loop.advance(seconds(31));
  CHECK(rig.workers.count("kill 1 9") == 0);
  rig.loop.advance(seconds(100));
  CHECK(rig.workers.count("kill 1 9") == 1);
}

TEST_CASE("what the ranks left running may exit by itself") {
  Rig rig(options_of(1));
  rig.workers.running = {{.pid = 77, .local_rank = 0, .command = "uploader"}};
  rig.start();
  rig.exit(0, kSuccess);
  rig.loop.advance(milliseconds(1100));
  CHECK_HAS(rig.console(), "uploader");
  CHECK_FALSE(rig.supervisor.exit_code());
  SUBCASE("in time") {
    rig.workers.descendants_exit();
    rig.loop.run();
    CHECK(rig.event("leftover_killed").empty());
  }
  SUBCASE("too late") {
    rig.loop.advance(seconds(5));
    CHECK_HAS(rig.event("leftover_killed"), "\"command\":\"uploader\"");
    CHECK_HAS(rig.console(), "uploader");
  }
  CHECK(rig.supervisor.exit_code() == 0);
}

TEST_CASE("a process that SIGKILL does not end: exit code 74, no restart") {
  Rig rig(restarting(2, 3));
  rig.workers.deaf = {0};
  rig.workers.unkillable = {0};
  rig.start();
  rig.exit(1, core::Exited{1});
  rig.loop.advance(seconds(31));
  CHECK(rig.supervisor.exit_code() == 74);
  CHECK_HAS(rig.event("processes_gone"), "\"survivors\":1");
  CHECK_HAS(rig.console(), "rank 0 (pid ");
  CHECK_HAS(rig.console(), "could not be killed: state D");
  CHECK(rig.workers.count("start 0") == 1);
}

TEST_CASE("the OOM killer's victim is reported as such") {
  Rig rig(options_of(2));
  rig.start();
  rig.workers.exit(1, core::Signaled{SIGKILL}, /*oom_killed=*/true);
  rig.loop.run();
  CHECK(rig.supervisor.exit_code() == 128 + SIGKILL);
  CHECK_HAS(rig.event("worker_exited"), "\"oom_killed\":true");
  CHECK_HAS(rig.event("failure"), "\"cause\":\"out of memory\"");
}

TEST_CASE("the keeper's death is reported, and the stop request that follows stops the group") {
  Rig rig(options_of(1));
  rig.start();
  rig.supervisor.publish(core::KeeperGone{});
  rig.request_stop(SIGTERM);
  CHECK(rig.supervisor.exit_code() == 128 + SIGTERM);
  const auto events = rig.events();
  CHECK(std::find(events.begin(), events.end(), "keeper_gone") != events.end());
  CHECK_HAS(rig.console(), "killed");
}

TEST_CASE("each worker gets its rank, its port and its output") {
  Options options = options_of(2);
  options.ranks.nnodes = 2;
  options.ranks.node_rank = 1;
  Rig rig(options);
  rig.start();
  const auto& environment = rig.workers.requests.at(1).environment;
  const auto has = [&](const std::string& entry) {
    return std::find(environment.begin(), environment.end(), entry) != environment.end();
  };
  CHECK(has("RANK=3"));
  CHECK(has("LOCAL_RANK=1"));
  CHECK(has("MASTER_PORT=29500"));
  CHECK(has("NOTIFY_SOCKET=" + (rig.dir / "notify.1").string()));
  CHECK(rig.workers.requests.at(1).traceable);
  rig.workers.write(1, "hello\n");
  CHECK_HAS(rig.console(), "[3] hello\n");
}

TEST_CASE("expectations decide the exit code") {
  Options options = options_of(1);
  options.faults.plan.expect.emplace();
  options.faults.plan.expect->exit = 3;
  Rig rig(options);
  rig.start();
  SUBCASE("met") {
    rig.exit(0, core::Exited{3});
    CHECK(rig.supervisor.exit_code() == 0);
    CHECK_HAS(rig.event("expectation"), "\"met\":true");
  }
  SUBCASE("not met") {
    rig.exit(0, kSuccess);
    CHECK(rig.supervisor.exit_code() == 73);
    CHECK_HAS(rig.event("expectation"), "\"met\":false");
    CHECK_HAS(rig.console(), "NOT MET");
  }
  CHECK(rig.events().back() == "run_finished");
}
