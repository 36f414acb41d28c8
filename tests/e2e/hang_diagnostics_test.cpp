// What is collected from a hung group before it is stopped: the --on-hang command, --hang-signal,
// the flight recorder's pipe and the stacks that a debugger shows.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace ddp::test;

namespace {

const Words kShortly{"--shutdown-timeout", "5s"};

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// The outcome of each --on-hang command.
Words outcomes(const std::string& events_path) {
  Words found;
  for (const auto& event : events_named(events_path, "hang_evidence")) {
    if (field(event, "what") == "on_hang") found.push_back(field(event, "outcome"));
  }
  return found;
}

}  // namespace

TEST_CASE("--on-hang runs a command for each rank before the group is stopped") {
  Scene scene;
  scene.env["DDP_CAMPAIGN_EVENTS"] = "1:1:/nowhere";
  const auto run = scene.run(
      Words{"--nproc", "2", "--timeout", "1500ms", "--log-dir", scene.path("my logs"), "--run-id",
            "r", "--on-hang",
            "echo pid {pid} rank {rank}${DDP_CAMPAIGN_EVENTS+ knows}; kill -0 {pid} && echo alive; "
            "touch {dir}/x"} +
          kShortly,
      helper({"print", "pid {PID}", "pause"}));
  CHECK(run.status == Status{.code = 72});
  for (const auto& [rank, lines] : by_rank(run.out)) {
    REQUIRE(lines.size() == 1);
    const auto dir = scene.path("my logs/r/attempt_0/" + std::to_string(rank) + "/hang");
    CHECK(read_file(dir + "/on-hang.log") ==
          lines[0] + " rank " + std::to_string(rank) + "\nalive\n");
    CHECK(std::filesystem::exists(dir + "/x"));
  }
  CHECK(outcomes(scene.path("my logs/r/events.jsonl")).size() == 2);
  CHECK(contains(run.err, "the diagnostics of each rank are in " + scene.path("my logs") +
                              "/r/attempt_0/*/hang"));
}

TEST_CASE("an --on-hang command that does not exit is killed with all it started") {
  // A command that does not exit keeps the next one waiting where there is one processor.
  cpu_set_t allowed;
  REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  const int expected = std::min(2, CPU_COUNT(&allowed));
  std::string log;
  Words killed;
  // A killed command is reported if it exits within a quarter of a second: on a stalled machine try
  // again.
  for (int attempt = 0; attempt < 3 && (std::ssize(killed) < expected || log.empty()); ++attempt) {
    const Scene scene;
    const auto run =
        scene.run(Words{"--nproc", "2", "--timeout", "1500ms", "--evidence-timeout", "2s",
                        "--log-dir", scene.path("logs"), "--run-id", "r", "--on-hang",
                        "echo begun; setsid sleep 1000 & exec sleep 1000"} +
                      kShortly,
                  helper({"pause"}));
    CHECK(run.status == Status{.code = 72});
    const auto path = scene.path("logs/r/attempt_0/0/hang/on-hang.log");
    log = std::filesystem::exists(path) ? read_file(path) : "";
    killed = outcomes(scene.path("logs/r/events.jsonl"));
  }
  CHECK(log == "begun\n");
  CHECK(std::ssize(killed) == expected);
  for (const auto& outcome : killed) CHECK(contains(outcome, "was killed by SIGKILL"));
}

TEST_CASE("an --on-hang command that fails to start changes nothing; 'none' runs nothing") {
  for (const char* command : {"/nowhere/debugger", "none"}) {
    const Scene scene;
    const auto run = scene.run(Words{"--nproc", "1", "--timeout", "1500ms", "--log-dir",
                                     scene.path("logs"), "--run-id", "r", "--on-hang", command} +
                                   kShortly,
                               helper({"pause"}));
    CHECK(run.status == Status{.code = 72});
    CHECK(std::filesystem::exists(scene.path("logs/r/attempt_0/0/hang/proc.txt")));
    CHECK(std::filesystem::exists(scene.path("logs/r/attempt_0/0/hang/on-hang.log")) ==
          (std::string(command) != "none"));
  }
}

TEST_CASE("a worker exit or a stop request ends the diagnostics at once") {
  const Scene scene;
  const Words flags =
      Words{"--nproc", "2", "--timeout", "1500ms", "--evidence-timeout", "1h"} + kShortly;
  const std::string begun = "echo > " + scene.path("begun{rank}") + "; exec sleep 1000";
  Process launch = scene.launch(
      flags + Words{"--on-hang", begun},
      helper({"print", "up", "on-rank", "1", "[", "wait-file", scene.path("begun0"), "print",
              "seen", "wait-file", scene.path("go"), "exit", "0", "]", "pause"}));
  launch.until("seen");
  SUBCASE("death") { write_file(scene.path("go"), ""); }
  SUBCASE("stop request") { launch.send_signal(SIGINT); }
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, "the run exceeded its time limit of 1500 ms"));
}

TEST_CASE("--hang-signal lets programs dump their stacks") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--timeout", "1500ms", "--hang-signal", "USR1", "--on-hang", "none"} +
          kShortly,
      helper({"on-signal", "USR1", "[", "print", "dump of {RANK}", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(by_rank(run.out) == std::map<int, Words>{{0, {"dump of 0"}}, {1, {"dump of 1"}}});
}

TEST_CASE("a --hang-signal that kills the program does not replace the hang as the cause") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "2", "--timeout", "1500ms", "--hang-signal", "USR1"} + kShortly,
                helper({"pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, "exited during hang diagnostics: rank"));
  CHECK(count(run.err, "(SIGUSR1)") + count(run.err, "ranks 0, 1 (SIGUSR1)") == 2);
}

TEST_CASE("PyTorch's flight recorder is triggered through its pipe") {
  Scene scene;
  scene.env["TORCH_NCCL_DEBUG_INFO_PIPE_FILE"] = scene.path("trace_");
  REQUIRE(::mkfifo(scene.path("trace_1.pipe").c_str(), 0600) == 0);
  write_file(scene.path("trace_0.pipe"), "");  // not a pipe: must not be written
  const auto run =
      scene.run(Words{"--nproc", "2", "--timeout", "1500ms", "--on-hang", "none"} + kShortly,
                helper({"on-rank", "1", "[", "exec", "/bin/sh", "[", "-c",
                        "read -r one < " + scene.path("trace_1.pipe") +
                            "; test \"$one\" = 1 && echo asked; exec sleep 1000",
                        "]", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.out, "[1] asked"));
  CHECK(read_file(scene.path("trace_0.pipe")) == "");
}

TEST_CASE("the flight recorder is triggered through the pipe that ddp-launch chose") {
  const Scene scene;
  // What PyTorch's DumpPipe and DebugInfoWriter do with the variables.
  const std::string recorder =
      "import os, select, time\n"
      "rank = os.environ['RANK']\n"
      "if int(os.environ['TORCH_NCCL_TRACE_BUFFER_SIZE']) <= 0: raise SystemExit('off')\n"
      "pipe = os.environ['TORCH_NCCL_DEBUG_INFO_PIPE_FILE'] + rank + '.pipe'\n"
      "if os.path.exists(pipe): os.unlink(pipe)\n"
      "os.mkfifo(pipe, 0o666)\n"
      "fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)\n"
      "select.select([fd], [], [])\n"
      "os.read(fd, 1)\n"
      "with open(os.environ['TORCH_NCCL_DEBUG_INFO_TEMP_FILE'] + rank, 'wb') as file:\n"
      "    file.write(b'trace of ' + rank.encode())\n"
      "print('asked', flush=True)\n"
      "time.sleep(1000)\n";
  const auto run = scene.run(
      Words{"--nproc", "2", "--timeout", "1500ms", "--on-hang", "none", "--log-dir",
            scene.path("logs"), "--run-id", "r"} +
          kShortly,
      helper({"on-rank", "1", "[", "exec", "python3", "[", "-c", recorder, "]", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.out, "[1] asked"));
  CHECK(read_file(scene.path("logs/r/attempt_0/1/hang/nccl_trace_rank_1")) == "trace of 1");
  // Rank 0 has no pipe, as most programs have none: nothing is said of it.
  Words asked;
  for (const auto& event : events_named(scene.path("logs/r/events.jsonl"), "hang_evidence")) {
    if (field(event, "what") == "flight_recorder")
      asked.push_back(field(event, "rank") + " " + field(event, "outcome"));
  }
  CHECK(asked == Words{"1 asked"});
}

TEST_CASE("without --on-hang an installed debugger shows the stacks") {
  if (std::system("command -v gdb > /dev/null 2>&1") != 0) {
    MESSAGE("not run: gdb is not installed");
    return;
  }
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "1", "--timeout", "1500ms", "--evidence-timeout", "60s"} + kShortly,
      helper({"pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, "stack of the hung rank:\n  > "));
  CHECK(contains(run.err, "pause_indefinitely"));
}
