// Runs that are stopped or killed and continued end as if nothing had happened.
#include "common/env_names.hpp"
#include "tests/support/fake_launcher.hpp"
#include "tests/worker/program.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

using namespace ddp::test;

namespace {

struct Run {
  Folder folder;
  std::string data = folder.write("text", sample_text(5000));
  std::string checkpoints = folder.at("checkpoints");

  std::vector<std::string> arguments(const std::string& steps, bool with_checkpoints) const {
    std::vector<std::string> all{"--data",  data,      "--backend",   "gloo",     "--context",
                                 "8",       "--embed", "8",           "--hidden", "32",
                                 "--batch", "30",      "--steps",     steps,      "--json",
                                 "--lr",    "0.003",   "--log-every", "1"};
    if (with_checkpoints) {
      for (const char* const more : {"--checkpoint-every", "7", "--checkpoint-dir"})
        all.emplace_back(more);
      all.push_back(checkpoints);
    }
    return all;
  }
};

std::string digest(const Ended& rank0) {
  const auto digests = json_values(rank0.out, "summary", "digest");
  CAPTURE(rank0.err);
  REQUIRE(digests.size() == 1);
  return digests[0];
}

}  // namespace

TEST_CASE("SIGTERM or SIGINT ends the run after a step, with a checkpoint, and it can continue") {
  int signal = 0;
  SUBCASE("SIGTERM") { signal = SIGTERM; }
  SUBCASE("SIGINT, as after Ctrl-C") { signal = SIGINT; }
  const Run run;
  const ReservedPort port;
  std::vector<Process> ranks;
  for (int rank = 0; rank < 3; ++rank)
    ranks.emplace_back(run.arguments("1000000", true), rank_environment(rank, 3, port));
  ranks[0].wait_for_output("\"step\":10,");
  // Only one rank gets the signal: all must agree on the step.
  ranks[2].signal(signal);
  std::vector<Ended> ended;
  for (Process& rank : ranks) ended.push_back(rank.wait());
  for (const Ended& rank : ended) {
    CAPTURE(rank.err);
    CHECK(rank.code == 0);
    CHECK(rank.err.empty());
  }
  const auto steps = json_values(ended[0].out, "summary", "steps");
  REQUIRE(steps.size() == 1);
  const int stopped_at = std::atoi(steps[0].c_str());
  CHECK(stopped_at >= 10);

  const std::string target = std::to_string(stopped_at + 20);
  const std::vector<Ended> resumed = run_world(3, run.arguments(target, true));
  CHECK(json_values(resumed[0].out, "summary", "first_step") ==
        std::vector<std::string>{std::to_string(stopped_at)});
  CHECK(digest(resumed[0]) == digest(run_world(3, run.arguments(target, false))[0]));
  // Started once more there is nothing left to do, and the result is the same.
  CHECK(digest(run_world(3, run.arguments(target, true))[0]) == digest(resumed[0]));
}

TEST_CASE("killed with SIGKILL repeatedly, the run ends with the digest of an undisturbed one") {
  const Run run;
  const std::string expected = digest(run_world(2, run.arguments("60", false))[0]);
  for (const int at : {1, 7, 13, 20, 41}) {
    const ReservedPort port;
    std::vector<Process> ranks;
    std::promise<void> started;
    // Rank 0 waits behind the step, before its checkpoint, until it is dead. It dies last: rank 1
    // would notice its exit.
    FakeLauncher launcher([&, all = started.get_future().share()](const std::string& line) {
      if (line != "X_DDP_STEP=" + std::to_string(at)) return;
      all.wait();
      ranks[1].signal(SIGKILL);
      ranks[0].signal(SIGKILL);
    });
    for (int rank = 0; rank < 2; ++rank) {
      Environment environment = rank_environment(rank, 2, port);
      if (rank == 0) {
        environment[ddp::env::kNotifySocket] = launcher.address();
        environment[ddp::env::kDdpFaults] = "";  // a plan, so that each step has its barrier
      }
      ranks.emplace_back(run.arguments("60", true), environment);
    }
    started.set_value();
    for (Process& rank : ranks) CHECK(rank.wait().code == 128 + SIGKILL);
  }
  const Ended last = run_world(2, run.arguments("60", true))[0];
  CHECK(digest(last) == expected);
  // The last of the checkpoints, one each 7 steps, before step 41.
  CHECK(json_values(last.out, "summary", "first_step") == std::vector<std::string>{"35"});
}

TEST_CASE("a checkpoint continues on another number of ranks") {
  const Run run;
  REQUIRE(run_world(3, run.arguments("40", true))[0].code == 0);
  const Ended resumed = run_world(2, run.arguments("60", true))[0];
  const Ended whole = run_world(1, run.arguments("60", false))[0];
  CHECK(json_values(resumed.out, "summary", "first_step") == std::vector<std::string>{"40"});
  const double a = std::strtod(json_values(resumed.out, "step", "loss").back().c_str(), nullptr);
  const double b = std::strtod(json_values(whole.out, "step", "loss").back().c_str(), nullptr);
  CHECK(std::abs(a - b) < 1e-4 * b);
}

TEST_CASE("a refused checkpoint is reported, and another configuration never continues from it") {
  const Run run;
  REQUIRE(run_world(1, run.arguments("20", true))[0].code == 0);
  std::vector<std::string> other = run.arguments("20", true);
  other.insert(other.end(), {"--seed", "5"});
  const Ended ended = run_world(1, other)[0];
  CHECK(ended.code == 0);
  CHECK(ended.out.find("was made with --seed 1, not 5") != std::string::npos);
  CHECK(json_values(ended.out, "summary", "first_step") == std::vector<std::string>{"0"});
}
