// Killed at any step, or while a checkpoint is written, and restarted by ddp-launch, a run ends
// with the digest of an undisturbed one.
#include "tests/worker/program.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace ddp::test;

namespace {

constexpr int kRanks = 3;
constexpr std::chrono::seconds kLongest{200};
const std::string kStart = "\"event\":\"start\"";

struct Run {
  Folder folder;
  std::string data = folder.write("text", sample_text(5000));
  std::string checkpoints = folder.at("checkpoints");
  std::string log_every = "1";

  // Each rank leaves its pid in a file before it becomes the worker.
  std::vector<std::string> launch(const std::string& steps, int restarts,
                                  bool with_checkpoints) const {
    std::vector<std::string> all{"--nproc",
                                 std::to_string(kRanks),
                                 "--max-restarts",
                                 std::to_string(restarts),
                                 "--backoff",
                                 "1ms",
                                 "--crash-loop",
                                 "1000",
                                 "--shutdown-timeout",
                                 "60s",
                                 "--output",
                                 "raw",
                                 "--",
                                 "/bin/sh",
                                 "-c",
                                 "echo $$ > \"$0.new.$RANK\" && mv \"$0.new.$RANK\" "
                                 "\"$0.$RANK\" && exec \"$@\"",
                                 folder.at("pid"),
                                 DDP_WORKER,
                                 "--backend",
                                 "gloo",
                                 "--data",
                                 data,
                                 "--context",
                                 "8",
                                 "--embed",
                                 "8",
                                 "--hidden",
                                 "32",
                                 "--batch",
                                 "30",
                                 "--json",
                                 "--log-every",
                                 log_every,
                                 "--steps",
                                 steps};
    if (with_checkpoints)
      all.insert(all.end(), {"--checkpoint-every", "3", "--checkpoint-dir", checkpoints});
    return all;
  }

  // One that is not over before it is stopped.
  Process endless(int restarts) const {
    return {launch("1000000", restarts, true), {}, DDP_LAUNCH};
  }

  void kill_rank(int rank) const {
    pid_t pid = 0;
    std::ifstream(folder.at("pid." + std::to_string(rank))) >> pid;
    REQUIRE(pid > 0);
    ::kill(pid, SIGKILL);
  }
};

std::string digest(const Ended& ended) {
  const auto digests = json_values(ended.out, "summary", "digest");
  REQUIRE(digests.size() == 1);
  return digests[0];
}

// Whether `generation` is the last attempt so far and has done `steps` steps.
bool has_done(const std::string& out, std::size_t generation, std::size_t steps) {
  if (occurrences(out, kStart) != generation + 1) return false;
  return occurrences(out.substr(out.rfind(kStart)), "\"event\":\"step\"") >= steps;
}

// Stops a run that was killed `kills` times and runs again, and compares it with an undisturbed
// one of as many steps.
void check_end(const Run& run, Process& launch, std::size_t kills) {
  launch.signal(SIGTERM);
  const Ended ended = launch.wait(kLongest);
  CAPTURE(ended.err);
  REQUIRE(ended.code == 128 + SIGTERM);
  // Every kill cost an attempt: the run began anew that often.
  CHECK(occurrences(ended.out, kStart) == kills + 1);
  const auto steps = json_values(ended.out, "summary", "steps");
  REQUIRE(steps.size() == 1);
  const Ended undisturbed = Process(run.launch(steps[0], 0, false), {}, DDP_LAUNCH).wait(kLongest);
  CAPTURE(undisturbed.err);
  REQUIRE(undisturbed.code == 0);
  CHECK(digest(ended) == digest(undisturbed));
}

}  // namespace

TEST_CASE("a random rank killed at 20 random steps") {
  const Run run;
  constexpr std::size_t kKills = 20;
  std::mt19937 random(20);
  Process launch = run.endless(kKills);
  for (std::size_t kill = 0; kill < kKills; ++kill) {
    const std::size_t steps = 1 + random() % 8;
    launch.wait_until([&](const std::string& out) { return has_done(out, kill, steps); });
    run.kill_rank(static_cast<int>(random() % kRanks));
  }
  launch.wait_until([&](const std::string& out) { return has_done(out, kKills, 1); });
  check_end(run, launch, kKills);
}

TEST_CASE("rank 0 killed while it writes a checkpoint") {
  Run run;
  run.log_every = "1000000";  // the test does not read output while it waits for a checkpoint
  constexpr std::size_t kKills = 5;
  std::filesystem::create_directory(run.checkpoints);
  const int watch = ::inotify_init1(IN_CLOEXEC);
  REQUIRE(watch >= 0);
  REQUIRE(::inotify_add_watch(watch, run.checkpoints.c_str(), IN_CREATE) >= 0);
  alignas(inotify_event) char buffer[4096];
  const auto wait_for_checkpoint = [&] {
    for (;;) {
      pollfd wait{watch, POLLIN, 0};
      REQUIRE(::poll(&wait, 1, 60000) == 1);
      const ssize_t got = ::read(watch, buffer, sizeof buffer);
      REQUIRE(got > 0);
      const std::string_view events(buffer, static_cast<std::size_t>(got));
      if (events.find(".tmp") != std::string_view::npos) return;
    }
  };
  Process launch = run.endless(kKills);
  for (std::size_t kill = 0; kill < kKills; ++kill) {
    wait_for_checkpoint();
    run.kill_rank(0);
    // The same attempt may have written more before it died: those do not count again.
    launch.wait_until([&](const std::string& out) { return occurrences(out, kStart) == kill + 2; });
    pollfd more{watch, POLLIN, 0};
    while (::poll(&more, 1, 0) == 1 && ::read(watch, buffer, sizeof buffer) > 0) {
    }
  }
  wait_for_checkpoint();
  ::close(watch);
  check_end(run, launch, kKills);
}
