// A hung group is found by each limit, reported, stopped with exit code 72 and restarted.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

using namespace ddp::test;

namespace {

const Words kShortly{"--shutdown-timeout", "5s"};

// The line of the failure report that begins so.
std::string verdict(const Finished& run, const std::string& headline) {
  for (const auto& line : lines_of(run.err)) {
    if (line.rfind("ddp-launch: " + headline, 0) == 0) return line.substr(12);
  }
  return "no line '" + headline + "' in:\n" + run.err;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

TEST_CASE("no new step: the report shows who is behind, who waits and each process's state") {
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

  const auto events = json_lines(read_file(scene.path("logs/r/events.jsonl")));
  Words order;
  for (const auto& event : events) {
    const auto name = field(event, "event");
    if (order.empty() || order.back() != name) order.push_back(name);
    if (name == "hang_detected") {
      CHECK(field(event, "gen") == "0");
      CHECK(field(event, "kind") == "no_progress");
      CHECK(field(event, "limit_ns") == "2000000000");
      CHECK(field(event, "behind") == "1");
    }
    if (name == "hang_rank" && field(event, "rank") == "1") {
      CHECK(field(event, "gen") == "0");
      CHECK(field(event, "step") == "41");
      CHECK(field(event, "phase") == "train");
      CHECK(field(event, "behind") == "true");
      CHECK(field(event, "activity") == "stopped");
    }
  }
  const Words hang{"hang_detected", "hang_rank", "hang_evidence", "teardown_began"};
  CHECK(std::search(order.begin(), order.end(), hang.begin(), hang.end()) != order.end());
  CHECK(std::count_if(events.begin(), events.end(), [](const auto& event) {
          return field(event, "event") == "hang_evidence" && field(event, "what") == "proc";
        }) == 3);
  CHECK(contains(read_file(scene.path("logs/r/attempt_0/1/hang/proc.txt")), "stopped (T)"));
  CHECK(contains(read_file(scene.path("logs/r/attempt_0/0/hang/proc.txt")), "ddp-test-helper"));
}

TEST_CASE("a rank that reports no step is found when all others have exited") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "3", "--progress-timeout", "1s", "--on-hang", "none"} + kShortly,
      helper({"notify", "READY=1", "on-rank", "1", "[", "stop", "]", "steps", "1", "10"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "no new step for 1 s"),
                 "rank 1 reported no step (stopped (T)); ranks 0, 2 have exited"));
}

TEST_CASE("a rank that does not send READY=1 in time is a hang") {
  const Scene scene;
  const auto run = scene.run(Words{"--nproc", "2", "--ready-timeout", "1500ms"} + kShortly,
                             helper({"on-rank", "0", "[", "notify", "READY=1", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "not ready"),
                 "not ready within 1500 ms: rank 1 has not sent READY=1 (asleep"));
}

TEST_CASE("a rank that sends READY=1 and then no heartbeat is a hang") {
  const Scene scene;
  const auto run = scene.run(Words{"--nproc", "2", "--heartbeat-timeout", "1s"} + kShortly,
                             helper({"env", "WATCHDOG_USEC", "env", "WATCHDOG_PID", "on-rank", "1",
                                     "[", "notify", "READY=1", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "no heartbeat"), "no heartbeat for 1 s: rank 1 sends no WATCHDOG=1"));
  CHECK(contains(run.out, "WATCHDOG_USEC=1000000"));
  CHECK(contains(run.out, "WATCHDOG_PID unset"));
}

TEST_CASE("a rank that writes nothing while another does is a hang") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "2", "--output-timeout", "2s", "--output", "none"} + kShortly,
                helper({"print", "up", "on-rank", "0", "[", "tick", "1000", "20", "[", "print",
                        "on", "]", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "no output"), "no output for 2 s: rank 1 is silent (asleep"));
}

TEST_CASE("--timeout ends the run without a restart and names the rank that differs") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const auto run =
      scene.run(Words{"--nproc", "3", "--timeout", "2s", "--max-restarts", "5"} + kShortly,
                helper({"append", journal, "{TORCHELASTIC_RESTART_COUNT}", "on-rank", "1", "[",
                        "spin", "]", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(verdict(run, "the run exceeded"),
                 "the run exceeded its time limit of 2 s: rank 1 reported no step (on the CPU); "
                 "ranks 0, 2 reported "
                 "no step (asleep"));
  CHECK(contains(run.err, "not restarted: the run exceeded its time limit (--timeout)"));
  CHECK(lines_of(read_file(journal)) == Words{"0", "0", "0"});
}

TEST_CASE("--timeout also ends a wait before a restart") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "1", "--timeout", "2s", "--max-restarts", "5", "--backoff",
                              "1h", "--max-backoff", "1h"},
                             helper({"exit", "3"}));
  CHECK(run.status == Status{.code = 72});
}

TEST_CASE("a hang is restarted") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--max-restarts", "1", "--progress-timeout", "1500ms"} + kShortly,
      helper({"notify", "READY=1\\nX_DDP_STEP={TORCHELASTIC_RESTART_COUNT}", "on-generation", "0",
              "[", "pause", "]", "exit", "0"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(verdict(run, "no new step"), "ranks 0, 1 wait at step 0"));
  CHECK(contains(run.err, "restarting the group"));
}

TEST_CASE("a worker that keeps every limit is not stopped") {
  constexpr std::int64_t kLimit = 2000;
  std::int64_t longest = 0;
  // On a stalled machine a worker misses a limit: try again.
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
      // A tick's messages come between its begin and the next one's: two ticks apart.
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

TEST_CASE("a straggler is reported once") {
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
  CHECK(events_named(scene.path("logs/r/events.jsonl"), "straggler").size() == 1);
}

TEST_CASE("a rank stopped by a fault plan is found as a hang and the plan is met") {
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
