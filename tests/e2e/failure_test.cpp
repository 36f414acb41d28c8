// A rank fails: the root cause, the other ranks, and the restart.
#include "tests/e2e/launch.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <set>

using namespace ddp::test;

namespace {

// All ranks are up before one of them fails, so that there are others to stop.
Words after_barrier(const Scene& scene, const Words& steps) {
  return helper(Words{"barrier", scene.directory.string()} + steps);
}

}  // namespace

TEST_CASE("the first failure is the root cause, not its consequences") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "4"},
                helper({"on-signal", "TERM", "[", "exit", "9", "]", "barrier",
                        scene.directory.string(), "on-rank", "2", "[", "exit", "7", "]", "pause"}));
  CHECK(run.status == Status{.code = 7});
  CHECK(contains(run.err, "ddp-launch: rank 2 exited with code 7 (pid "));
  CHECK(contains(run.err, "stopped by ddp-launch: ranks 0, 1, 3 (exit code 9)"));
}

TEST_CASE("SIGKILL from another process is reported as such") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "3"}, helper({"print", "pid {PID}", "pause"}));
  std::map<std::string, int> pids;
  for (int i = 0; i < 3; ++i) {
    const std::string line = launch.until("pid ");
    pids[line.substr(0, 3)] = std::stoi(line.substr(8));
  }
  REQUIRE(pids.size() == 3);
  kill(pids["[1]"], SIGKILL);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 137});
  CHECK(
      contains(run.err, "rank 1 was killed by SIGKILL (pid " + std::to_string(pids["[1]"]) + ")"));
  CHECK(contains(run.err, "not killed by ddp-launch"));
  CHECK(contains(run.err, "stopped by ddp-launch: ranks 0, 2 (SIGTERM)"));
}

TEST_CASE("the failure report shows the root cause's last 20 lines of both streams") {
  const Scene scene;
  Words steps{"on-rank", "0", "[", "print", "innocent", "pause", "]"};
  for (int i = 1; i <= 30; ++i) {
    steps = steps + Words{i % 2 == 0 ? "print" : "eprint", "line " + std::to_string(i) + "."};
  }
  const auto run =
      scene.run({"--nproc", "2", "--output", "none"}, helper(steps + Words{"exit", "1"}));
  CHECK(run.status == Status{.code = 1});
  CHECK(run.out == "");
  // The two streams are two pipes, so their lines may change places with each other at the edge
  // of the twenty; within a stream they may not.
  const auto lines = lines_of(run.err);
  CHECK(std::count_if(lines.begin(), lines.end(),
                      [](const auto& line) { return line.rfind("  | line ", 0) == 0; }) == 20);
  CHECK(contains(run.err, "  | line 30.\n"));
  CHECK(contains(run.err, "  | line 29.\n"));
  CHECK_FALSE(contains(run.err, "  | line 1.\n"));
  CHECK_FALSE(contains(run.err, "innocent"));
}

TEST_CASE("a worker that ignores SIGTERM is killed after the grace period") {
  const Scene scene;
  const auto began = std::chrono::steady_clock::now();
  const auto run =
      scene.run({"--nproc", "3", "--shutdown-timeout", "300ms"},
                helper({"on-rank", "0", "[", "ignore", "TERM", "]", "barrier",
                        scene.directory.string(), "on-rank", "1", "[", "exit", "3", "]", "pause"}));
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(300));
  CHECK(run.status == Status{.code = 3});
  // SIGTERM kills rank 2, unless the machine stalls for the whole grace period.
  CHECK(contains(run.err, "rank 0 (SIGKILL), rank 2 (SIG"));
}

TEST_CASE("a worker may finish and write within the grace period") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "2"},
      helper({"on-signal", "TERM", "[", "print", "checkpoint written", "exit", "0", "]", "barrier",
              scene.directory.string(), "on-rank", "1", "[", "exit", "3", "]", "pause"}));
  CHECK(run.status == Status{.code = 3});
  CHECK(contains(run.out, "[0] checkpoint written\n"));
  CHECK(contains(run.err, "stopped by ddp-launch: rank 0 (exit code 0)"));
}

TEST_CASE("a worker in state T gets SIGTERM too") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--shutdown-timeout", "600"},
                             after_barrier(scene, {"on-rank", "0", "[", "stop", "]", "on-rank", "1",
                                                   "[", "exit", "3", "]", "pause"}));
  CHECK(run.status == Status{.code = 3});
  CHECK(contains(run.err, "rank 0 (SIGTERM)"));
}

TEST_CASE("every restart has a new count, a new port and no process of the last attempt") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const auto run = scene.run(Words{"--nproc", "2", "--max-restarts", "3"} + kRestartAtOnce,
                             after_barrier(scene, {"on-rank", "0", "[", "append", journal,
                                                   "{TORCHELASTIC_RESTART_COUNT} {MASTER_PORT}",
                                                   "exit", "5", "]", "pause"}));
  CHECK(run.status == Status{.code = 5});
  CHECK(contains(run.err, "not restarted: no restarts left (--max-restarts 3)"));
  const auto lines = lines_of(read_file(journal));
  REQUIRE(lines.size() == 4);
  std::set<std::string> ports;
  for (std::size_t generation = 0; generation < 4; ++generation) {
    CHECK(lines[generation].substr(0, 2) == std::to_string(generation) + " ");
    ports.insert(lines[generation].substr(2));
  }
  CHECK(ports.size() >= 3);  // the kernel may assign one twice, with a probability of 1 in 28,000
}

TEST_CASE("a group that succeeds after a restart exits 0") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const auto run = scene.run({"--nproc", "2", "--max-restarts", "3"},
                             helper({"append", journal, "{TORCHELASTIC_RESTART_COUNT}", "barrier",
                                     scene.directory.string(), "on-generation", "0", "[", "on-rank",
                                     "1", "[", "exit", "5", "]", "pause", "]", "exit", "0"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "restarting the group"));
  auto lines = lines_of(read_file(journal));
  CHECK(lines == Words{"0", "0", "1", "1"});
}

TEST_CASE("without --max-restarts there is one attempt") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const auto run = scene.run({"--nproc", "1"}, helper({"append", journal, "once", "exit", "4"}));
  CHECK(run.status == Status{.code = 4});
  CHECK(read_file(journal) == "once\n");
}

TEST_CASE("a crash loop is reported and not restarted") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const auto run =
      scene.run({"--nproc", "1", "--max-restarts", "50", "--backoff", "0", "--crash-loop", "3"},
                helper({"append", journal, "again", "exit", "4"}));
  CHECK(run.status == Status{.code = 4});
  CHECK(contains(run.err, "crash loop, the same failure 3 times in a row"));
  CHECK(lines_of(read_file(journal)).size() == 3);
}

TEST_CASE("a new attempt starts after every process of the last is gone") {
  const Scene scene;
  Process launch =
      scene.launch({"--nproc", "2", "--max-restarts", "1", "--shutdown-timeout", "100ms"},
                   helper({"on-generation",
                           "0",
                           "[",
                           "fork",
                           "[",
                           "setsid",
                           "fork",
                           "[",
                           "setsid",
                           "ignore",
                           "TERM",
                           "print",
                           "escaped {PID}",
                           "pause",
                           "]",
                           "exit",
                           "0",
                           "]",
                           "barrier",
                           scene.directory.string(),
                           "on-rank",
                           "0",
                           "[",
                           "exit",
                           "5",
                           "]",
                           "pause",
                           "]",
                           "print",
                           "second",
                           "pause"}));
  std::set<int> escaped;
  for (int i = 0; i < 2; ++i) escaped.insert(std::stoi(launch.until("escaped ").substr(12)));
  launch.until("second");
  for (const auto& process : launch.below()) CHECK(escaped.count(process.pid) == 0);
  launch.send_signal(SIGTERM);
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("a grandchild that holds the pipes does not delay the group") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--linger-timeout", "100ms"},
                             helper({"fork", "[", "setsid", "ignore", "TERM", "pause", "]", "print",
                                     "done", "exit", "0"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(by_rank(run.out) == std::map<int, Words>{{0, {"done"}}, {1, {"done"}}});
}

TEST_CASE("a worker that closes its pipes is judged by its exit") {
  const Scene scene;
  Process launch =
      scene.launch({"--nproc", "1"}, helper({"print", "up", "close", "1", "close", "2", "wait-file",
                                             scene.path("go"), "exit", "4"}));
  launch.until("up");
  write_file(scene.path("go"), "");
  CHECK(finish(scene, launch).status == Status{.code = 4});
}

TEST_CASE("the failure report names the step that the worker reported") {
  const Scene scene;
  Process launch = scene.launch(
      {"--nproc", "2"}, helper({"on-rank", "1", "[", "notify", "READY=1\\nX_DDP_STEP=42", "print",
                                "sent", "wait-file", scene.path("go"), "exit", "3", "]", "pause"}));
  launch.until("sent");
  write_file(scene.path("go"), "");
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 3});
  CHECK(contains(run.err, ", step 42)"));
}

TEST_CASE("notifications of another user are ignored") {
  if (!can_be_other_user()) return;
  const Scene scene;
  // The exit comes with the last message: a step that is received is in the failure report.
  const auto step_of = [&](const std::string& user) {
    const auto run = scene.run({"--nproc", "1"},
                               helper({"notify", "X_DDP_STEP=1", "fork", "[", "notify-as", user,
                                       "X_DDP_STEP=7", "]", "wait-children", "sync", "exit", "3"}));
    CHECK(run.status == Status{.code = 3});
    return run.err;
  };
  CHECK(contains(step_of("0"), ", step 7)"));
  CHECK(contains(step_of(std::to_string(kOtherUser)), ", step 1)"));
}
