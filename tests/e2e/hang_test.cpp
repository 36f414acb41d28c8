// A group that lives and does not get on: seen, told, looked at, ended with 72, tried again.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <vector>

using namespace ddp::test;

namespace {

const Words kShortly{"--shutdown-timeout", "5s"};

// The line of the verdict.
std::string verdict(const Finished& run, const std::string& headline) {
  for (const auto& line : lines_of(run.err)) {
    if (line.rfind("ddp-launch: " + headline, 0) == 0) return line.substr(12);
  }
  return "no line '" + headline + "' in:\n" + run.err;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

TEST_CASE("no new step: who is behind, who waits, and what each process does") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "3", "--progress-timeout", "2s", "--log-dir", scene.path("logs"),
                      "--run-id", "r"} +
                    kShortly,
                helper({"print", "of rank {RANK}", "notify", "X_DDP_PHASE=train\\nX_DDP_STEP=41",
                        "barrier", scene.directory.string(), "on-rank", "1", "[", "stop", "]",
                        "notify", "X_DDP_STEP=42", "pause"}));
  CHECK(run.status == Status{.code = 72});
  const auto line = verdict(run, "no new step for 2 s");
  INFO(line);
  CHECK(contains(line,
                 "no new step for 2 s: rank 1 is behind at step 41 (phase train, stopped (T)); "
                 "ranks 0, 2 wait at step 42 (phase train, asleep"));
  CHECK(contains(run.err, "  | of rank 1\n"));
  CHECK_FALSE(contains(run.err, "  | of rank 0\n"));

  const auto events = read_file(scene.path("logs/r/events.jsonl"));
  CHECK(std::regex_search(
      events, std::regex("\"event\":\"hang_detected\",\"gen\":0,\"kind\":\"no_progress\","
                         "\"limit_ns\":2000000000,\"behind\":\"1\"")));
  CHECK(std::regex_search(
      events, std::regex("\"event\":\"hang_rank\",\"gen\":0,\"rank\":1,\"step\":41,"
                         "\"phase\":\"train\",.*\"behind\":true,\"activity\":\"stopped\"")));
  CHECK(count(events, "\"what\":\"proc\"") == 3);
  // What is told before what: seen, looked at, told to go.
  CHECK(events.find("hang_detected") < events.find("hang_rank"));
  CHECK(events.find("hang_evidence") < events.find("teardown_began"));
  CHECK(contains(read_file(scene.path("logs/r/attempt_0/1/hang/proc.txt")), "stopped (T)"));
  CHECK(contains(read_file(scene.path("logs/r/attempt_0/0/hang/proc.txt")), "ddp-test-helper"));
}

TEST_CASE("a rank that lives on when all that told steps have ended") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "3", "--progress-timeout", "1s", "--on-hang", "none"} + kShortly,
      helper({"notify", "READY=1", "on-rank", "1", "[", "stop", "]", "steps", "1", "10"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "no new step for 1 s"),
                 "rank 1 reported no step (stopped (T)); ranks 0, 2 have exited"));
}

TEST_CASE("a group that never says READY=1") {
  const Scene scene;
  const auto run = scene.run(Words{"--nproc", "2", "--ready-timeout", "1500ms"} + kShortly,
                             helper({"on-rank", "0", "[", "notify", "READY=1", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "not ready"),
                 "not ready within 1500 ms: rank 1 has not sent READY=1 (asleep"));
}

TEST_CASE("a rank without a heartbeat, once it has said that it is ready") {
  const Scene scene;
  const auto run = scene.run(Words{"--nproc", "2", "--heartbeat-timeout", "1s"} + kShortly,
                             helper({"env", "WATCHDOG_USEC", "env", "WATCHDOG_PID", "on-rank", "1",
                                     "[", "notify", "READY=1", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "no heartbeat"), "no heartbeat for 1 s: rank 1 sends no WATCHDOG=1"));
  CHECK(contains(run.out, "WATCHDOG_USEC=1000000"));
  CHECK(contains(run.out, "WATCHDOG_PID unset"));
}

TEST_CASE("a rank that writes nothing while another does") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "2", "--output-timeout", "2s", "--output", "none"} + kShortly,
                helper({"print", "up", "on-rank", "0", "[", "tick", "1000", "20", "[", "print",
                        "on", "]", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "no output"), "no output for 2 s: rank 1 is silent (asleep"));
}

TEST_CASE("the whole run's time ends it for good, and the odd one out is told") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const auto run =
      scene.run(Words{"--nproc", "3", "--timeout", "2s", "--max-restarts", "5"} + kShortly,
                helper({"append", journal, "{TORCHELASTIC_RESTART_COUNT}", "on-rank", "1", "[",
                        "spin", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "the run took"),
                 "the run exceeded its time limit of 2 s: rank 1 reported no step (on the CPU); "
                 "ranks 0, 2 reported "
                 "no step (asleep"));
  CHECK(contains(run.err, "not restarted: the run exceeded its time limit (--timeout)"));
  CHECK(lines_of(read_file(journal)) == Words{"0", "0", "0"});
}

TEST_CASE("the whole run's time ends a wait before a restart as well") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "1", "--timeout", "2s", "--max-restarts", "5", "--backoff",
                              "1h", "--max-backoff", "1h"},
                             helper({"exit", "3"}));
  CHECK(run.status == Status{.code = 72});
}

TEST_CASE("a hang is tried again") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--max-restarts", "1", "--progress-timeout", "1500ms"} + kShortly,
      helper({"notify", "READY=1\\nX_DDP_STEP={TORCHELASTIC_RESTART_COUNT}", "on-generation", "0",
              "[", "pause", "]", "exit", "0"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(verdict(run, "no new step"), "ranks 0, 1 wait at step 0"));
  CHECK(contains(run.err, "restarting the group"));
}

TEST_CASE("a worker that does what each limit asks for is left in peace") {
  constexpr std::int64_t kLimit = 2000;
  std::int64_t longest = 0;
  // On a machine that stood still a worker did not do what is asked for: another try.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const Scene scene;
    const std::int64_t began = now_ms();
    const auto run = scene.run(
        {"--nproc", "2", "--ready-timeout", "2s", "--heartbeat-timeout", "2s", "--progress-timeout",
         "2s", "--output-timeout", "2s", "--timeout", "300s", "--output", "none"},
        helper({"notify", "READY=1", "tick", "30", "100", "[", "append", scene.path("{RANK}"),
                "{NOW}", "print", "on", "notify", "WATCHDOG=1\\nX_DDP_STEP={TICK}", "]", "exit",
                "0"}));
    const std::int64_t ended = now_ms();
    longest = 0;
    for (const char* rank : {"0", "1"}) {
      std::vector<std::int64_t> times{began, began};
      if (std::filesystem::exists(scene.path(rank))) {
        for (const auto& line : lines_of(read_file(scene.path(rank)))) {
          times.push_back(std::stoll(line));
        }
      }
      times.insert(times.end(), {ended, ended});
      // What is told in one tick comes between its begin and the next one's: two ticks apart.
      for (std::size_t i = 2; i < times.size(); ++i) {
        longest = std::max(longest, times[i] - times[i - 2]);
      }
    }
    if (longest >= kLimit) continue;
    CHECK(run.status == Status{.code = 0});
    CHECK(run.err == "");
    return;
  }
  FAIL("no worker was on time, by ms: " << longest);
}

TEST_CASE("a command of the user's looks at each rank before the group has to go") {
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
  const auto events = read_file(scene.path("my logs/r/events.jsonl"));
  CHECK(count(events, "\"what\":\"on_hang\"") == 2);
  CHECK(contains(run.err, "what each rank was found doing is in " + scene.path("my logs") +
                              "/r/attempt_0/*/hang"));
}

TEST_CASE("a command that never ends, and what it has started, is gone in time") {
  // One that never ends leaves no turn to the next where there is but one processor.
  cpu_set_t allowed;
  REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  const int expected = std::min(2, CPU_COUNT(&allowed));
  std::string log;
  std::string events;
  int told = 0;
  // The end of what was killed is told within a quarter of a second: a machine that stood still for
  // so long gets another try.
  for (int attempt = 0; attempt < 3 && (told < expected || log.empty()); ++attempt) {
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
    events = read_file(scene.path("logs/r/events.jsonl"));
    told = count(events, "\"what\":\"on_hang\"");
  }
  CHECK(log == "begun\n");
  CHECK(told == expected);
  CHECK(count(events, "was killed by SIGKILL") >= expected);
}

TEST_CASE("a command that cannot be run changes nothing, and none runs nothing") {
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

TEST_CASE("a worker's death and a stop request end the looking at once; it was a hang") {
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

TEST_CASE("a signal for programs that tell where they are, and the time to do so") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--timeout", "1500ms", "--hang-signal", "USR1", "--on-hang", "none"} +
          kShortly,
      helper({"on-signal", "USR1", "[", "print", "dump of {RANK}", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(by_rank(run.out) == std::map<int, Words>{{0, {"dump of 0"}}, {1, {"dump of 1"}}});
}

TEST_CASE("a signal that the program does not know ends it; the hang stays the cause") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "2", "--timeout", "1500ms", "--hang-signal", "USR1"} + kShortly,
                helper({"pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, "exited during hang diagnostics: rank"));
  CHECK(count(run.err, "(SIGUSR1)") + count(run.err, "ranks 0, 1 (SIGUSR1)") == 2);
}

TEST_CASE("PyTorch's flight recorder is asked through its pipe, where a rank has one") {
  Scene scene;
  scene.env["TORCH_NCCL_DEBUG_INFO_PIPE_FILE"] = scene.path("trace_");
  REQUIRE(::mkfifo(scene.path("trace_1.pipe").c_str(), 0600) == 0);
  write_file(scene.path("trace_0.pipe"), "");  // no pipe: not to be written to
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

TEST_CASE("without a command of the user's a debugger shows the stacks, where one is installed") {
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
  CHECK(contains(run.err, "pause_for_ever"));
}

TEST_CASE("a rank that computes longer than the others is named, once") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "3", "--straggler-factor", "2", "--straggler-window", "5", "--log-dir",
                 scene.path("logs"), "--run-id", "r"},
                helper(Words{"on-rank", "0,2", "[", "tick", "40", "0", "["} +
                       Words{"notify", "X_DDP_STEP={TICK}\\nX_DDP_METRIC=busy_seconds=0.010"} +
                       Words{"]", "]", "on-rank", "1", "[", "tick", "40", "0", "["} +
                       Words{"notify", "X_DDP_STEP={TICK}\\nX_DDP_METRIC=busy_seconds=0.031"} +
                       Words{"]", "]", "barrier", scene.directory.string(), "exit", "0"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err ==
        "ddp-launch: rank 1 is slow: 31.0 ms per step, median rank 10.0 ms (3.1 times), over 5 "
        "steps, measured by busy_seconds\n");
  CHECK(contains(read_file(scene.path("logs/r/events.jsonl")), "\"event\":\"straggler\""));
}

TEST_CASE("a rank that a fault plan stops is found as a hang, is blamed, and the plan is met") {
  const Scene scene;
  write_file(scene.path("plan.toml"),
             "[[fault]]\nfault = \"stop\"\nstep = 4\nrank = 1\n[expect]\nrestarts = 1\n"
             "root_cause = { rank = 1, by = \"hang\" }\ndetected_within = \"60s\"\n");
  const auto run = scene.run(Words{"--nproc", "3", "--max-restarts", "1", "--progress-timeout",
                                   "2s", "--faults", scene.path("plan.toml")} +
                                 kShortly,
                             helper({"steps", "1", "10", "on-generation", "0", "[", "pause", "]"}));
  CAPTURE(run.err);
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(verdict(run, "no new step"),
                 "rank 1 is behind at step 4 (stopped (T)); ranks 0, 2 wait at step 10 (asleep"));
  CHECK(contains(run.err, "met     root_cause: expected rank 1 by hang, measured rank 1 by hang"));
}
