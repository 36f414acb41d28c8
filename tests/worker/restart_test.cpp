// Killed at any step, or while a checkpoint is written, and restarted by ddp-launch, a run ends
// with the digest of an undisturbed one.
#include "tests/worker/program.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
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
const std::string kStart = "\"event\":\"start\"";

struct Run {
  Folder folder;
  std::string data = folder.write("text", sample_text(5000));
  std::string checkpoints = folder.at("checkpoints");

  // Each rank leaves its pid in a file before it becomes the worker.
  std::vector<std::string> launch(int steps, int restarts, bool with_checkpoints) const {
    std::vector<std::string> all{"--nproc",
                                 std::to_string(kRanks),
                                 "--max-restarts",
                                 std::to_string(restarts),
                                 "--backoff",
                                 "1ms",
                                 "--crash-loop",
                                 "1000",
                                 "--shutdown-timeout",
                                 "100ms",
                                 "--output",
                                 "raw",
                                 "--",
                                 "/bin/sh",
                                 "-c",
                                 "echo $$ > \"$0.new.$RANK\" && mv \"$0.new.$RANK\" "
                                 "\"$0.$RANK\" && exec \"$@\"",
                                 folder.at("pid"),
                                 DDP_WORKER,
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
                                 "1",
                                 "--steps",
                                 std::to_string(steps)};
    if (with_checkpoints)
      all.insert(all.end(), {"--checkpoint-every", "3", "--checkpoint-dir", checkpoints});
    return all;
  }

  void kill_rank(int rank) const {
    pid_t pid = 0;
    std::ifstream(folder.at("pid." + std::to_string(rank))) >> pid;
    REQUIRE(pid > 0);
    ::kill(pid, SIGKILL);
  }
};

std::string final_digest(const Ended& ended) {
  CAPTURE(ended.err);
  REQUIRE(ended.code == 0);
  const auto digests = json_values(ended.out, "summary", "digest");
  REQUIRE(digests.size() == 1);
  return digests[0];
}

std::string undisturbed(const Run& run, int steps) {
  return final_digest(Process(run.launch(steps, 0, false), {}, DDP_LAUNCH).wait());
}

}  // namespace

TEST_CASE("a random rank killed at 20 random steps") {
  const Run run;
  constexpr std::size_t kKills = 20;
  constexpr int kSteps = 600;
  const std::string expected = undisturbed(run, kSteps);
  std::mt19937 random(20);
  Process launch(run.launch(kSteps, kKills, true), {}, DDP_LAUNCH);
  for (std::size_t kill = 0; kill < kKills; ++kill) {
    const std::size_t lines = 1 + random() % 8;
    launch.wait_until([&](const std::string& out) {
      if (occurrences(out, kStart) != kill + 1) return false;
      return occurrences(out.substr(out.rfind(kStart)), "\"event\":\"step\"") >= lines;
    });
    run.kill_rank(static_cast<int>(random() % kRanks));
  }
  const Ended ended = launch.wait(std::chrono::seconds(200));
  CHECK(final_digest(ended) == expected);
  // Every kill cost an attempt: the run began anew that often.
  CHECK(occurrences(ended.out, kStart) == kKills + 1);
}

TEST_CASE("rank 0 killed while it writes a checkpoint") {
  const Run run;
  constexpr int kKills = 5;
  constexpr int kSteps = 60;
  const std::string expected = undisturbed(run, kSteps);
  std::filesystem::create_directory(run.checkpoints);
  const int watch = ::inotify_init1(IN_CLOEXEC);
  REQUIRE(watch >= 0);
  REQUIRE(::inotify_add_watch(watch, run.checkpoints.c_str(), IN_CREATE) >= 0);
  Process launch(run.launch(kSteps, kKills, true), {}, DDP_LAUNCH);
  int kills = 0;
  while (kills < kKills) {
    pollfd wait{watch, POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 60000) == 1);
    alignas(inotify_event) char buffer[4096];
    const ssize_t got = ::read(watch, buffer, sizeof buffer);
    REQUIRE(got > 0);
    const std::string_view events(buffer, static_cast<std::size_t>(got));
    if (events.find(".tmp") == std::string_view::npos) continue;
    run.kill_rank(0);
    ++kills;
    // The same generation may have created more before it died: those are no new occasion.
    launch.wait_until([&](const std::string& out) {
      return occurrences(out, kStart) == static_cast<std::size_t>(kills) + 1;
    });
    while (::poll(&wait, 1, 0) == 1 && ::read(watch, buffer, sizeof buffer) > 0) {
    }
  }
  ::close(watch);
  CHECK(final_digest(launch.wait(std::chrono::seconds(200))) == expected);
}
