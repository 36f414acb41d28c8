// The real worker under random kills: its result equals that of an undisturbed run.
// DDP_TEST_KILLS=200 makes it a long test.
#include "tests/e2e/fault_run.hpp"

#include <cstdlib>
#include <set>

using namespace ddp::test;

namespace {

int kills() {
  const char* const wanted = std::getenv("DDP_TEST_KILLS");
  return wanted != nullptr ? std::atoi(wanted) : 8;
}

constexpr int kMeanSteps = 6;

Words worker(const Scene& scene, int steps, const char* checkpoints) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "rank " + std::to_string(i % 37) + " waits for the rest. ";
  write_file(scene.path("data"), text);
  return {path_or("DDP_TEST_WORKER", DDP_WORKER),
          "--data",
          scene.path("data"),
          "--backend",
          "gloo",
          "--context",
          "8",
          "--embed",
          "8",
          "--hidden",
          "16",
          "--batch",
          "12",
          "--steps",
          std::to_string(steps),
          "--checkpoint-dir",
          scene.path(checkpoints),
          "--checkpoint-every",
          "4",
          "--json"};
}

std::string digest(const std::string& output) {
  std::string digest;
  for (const auto& [rank, lines] : by_rank(output)) {
    for (const auto& line : lines) {
      if (!line.ends_with("}")) continue;  // a killed rank's last line may be cut
      for (const auto& event : json_lines(line + "\n")) {
        if (const auto found = field(event, "digest"); !found.empty()) digest = found;
      }
    }
  }
  return digest;
}

}  // namespace

TEST_CASE("random kills end with the digest of an undisturbed run") {
  const Scene scene;
  const int count = kills();
  const int steps = count * (kMeanSteps + 2) + 60;
  const auto undisturbed = scene.run({"--nproc", "2"}, worker(scene, steps, "a"));
  CAPTURE(undisturbed.err);
  REQUIRE(undisturbed.status == Status{.code = 0});
  REQUIRE(digest(undisturbed.out) != "");

  const std::string spec =
      "kill@rank=any,mtbf=" + std::to_string(kMeanSteps) + "steps,times=" + std::to_string(count);
  const auto same_digest = [&](const char* name, const Words& faults) {
    Process launch = scene.launch(Words{"--nproc", "2", "--max-restarts", std::to_string(count)} +
                                      faults + recorded(scene, name) + kRestartAtOnce,
                                  worker(scene, steps, name));
    CHECK(launch.wait(Deadline(std::chrono::seconds(30 + 5 * count))) == Status{.code = 0});
    scene.check_nothing_left(launch);
    CAPTURE(launch.err());
    CHECK(digest(launch.out()) == digest(undisturbed.out));
    return injected(scene, name);
  };
  const auto injections = same_digest("b", {"--inject", spec, "--fault-seed", "7"});
  CHECK(injections.size() == static_cast<std::size_t>(count));
  const auto ranks = fields_of(scene, "fault_injected", "rank", "b");
  CHECK(std::set<std::string>(ranks.begin(), ranks.end()).size() == 2);
  // Each at the same step of the same attempt again.
  CHECK(same_digest("replay", {"--replay", events_path(scene, "b")}) == injections);
}

TEST_CASE("a rank that delays every step is reported by its busy_seconds") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--straggler-factor", "2", "--straggler-window", "5",
                              "--inject", "delay=100ms@rank=1,every=1steps"},
                             worker(scene, 20, "slow"));
  CAPTURE(run.err);
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "ddp-launch: rank 1 is slow: "));
  CHECK(contains(run.err, "over 5 steps, measured by busy_seconds"));
  CHECK_FALSE(contains(run.err, "rank 0 is slow"));
}
