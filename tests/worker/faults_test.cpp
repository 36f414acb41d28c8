// Faults that the worker injects into itself, seen from outside: its exit, its reports to the
// launcher before, the messages of its peers, and the files on disk.
#include "common/env_names.hpp"
#include "tests/support/fake_launcher.hpp"
#include "tests/worker/program.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace ddp::test;

namespace {

// A run of a few steps, each rank with a separate fake launcher.
struct Run {
  Folder folder;
  std::string data = folder.write("text", sample_text(3000));
  std::string checkpoints = folder.at("checkpoints");
  std::vector<std::unique_ptr<FakeLauncher>> launchers;

  // `faults` as in DDP_FAULTS; none: no plan.
  std::vector<Ended> run(int world, const std::optional<std::string>& faults,
                         const std::vector<std::string>& more = {},
                         const Environment& environment = {}) {
    const ReservedPort port;
    std::vector<std::string> arguments{
        "--data",  data, "--backend", "gloo",        "--context", "8",
        "--embed", "8",  "--hidden",  "16",          "--batch",   "24",
        "--steps", "9",  "--json",    "--log-every", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    launchers.clear();
    std::vector<Process> ranks;
    for (int rank = 0; rank < world; ++rank) {
      launchers.push_back(std::make_unique<FakeLauncher>());
      Environment given = rank_environment(rank, world, port);
      given.insert(environment.begin(), environment.end());
      given[ddp::env::kNotifySocket] = launchers.back()->address();
      if (faults) given[ddp::env::kDdpFaults] = *faults;
      ranks.emplace_back(arguments, given);
    }
    std::vector<Ended> ended;
    for (Process& rank : ranks) ended.push_back(rank.wait());
    return ended;
  }

  FakeLauncher& launcher(std::size_t rank) { return *launchers.at(rank); }
  std::vector<std::string> with_checkpoints(int every) const {
    return {"--checkpoint-dir", checkpoints, "--checkpoint-every", std::to_string(every)};
  }
};

std::string digest(const Ended& rank0) {
  CAPTURE(rank0.err);
  const auto digests = json_values(rank0.out, "summary", "digest");
  REQUIRE(digests.size() == 1);
  return digests[0];
}

bool contains(const std::string& all, const std::string& text) {
  return all.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("without a plan no step waits, and steps, metrics and the digest are reported") {
  Run run;
  const Ended ended = run.run(1, std::nullopt)[0];
  REQUIRE(ended.code == 0);
  CHECK(run.launcher(0).count("READY=1") == 1);
  CHECK(run.launcher(0).count("X_DDP_STEP=9") == 1);
  CHECK(run.launcher(0).count_prefixed("X_DDP_METRIC=loss=") > 0);
  CHECK(run.launcher(0).count("X_DDP_PHASE=train") > 0);
  CHECK(run.launcher(0).count("X_DDP_DIGEST=" + digest(ended)) == 1);
  CHECK(run.launcher(0).count("BARRIER=1") == 0);
  CHECK(run.launcher(0).count("WATCHDOG=1") == 0);
}

TEST_CASE("with a plan, even an empty one, each step waits at a barrier") {
  Run run;
  REQUIRE(run.run(1, "")[0].code == 0);
  const auto lines = run.launcher(0).lines();
  for (int step = 1; step <= 9; ++step) {
    const auto at = std::find(lines.begin(), lines.end(), "X_DDP_STEP=" + std::to_string(step));
    REQUIRE(at != lines.end());
    const auto next = std::find_if(at + 1, lines.end(), [](const std::string& line) {
      return !line.starts_with("X_DDP_METRIC=");
    });
    REQUIRE(next != lines.end());
    CHECK(*next == "BARRIER=1");
  }
}

TEST_CASE("a plan that cannot be read is a usage error that names it") {
  Run run;
  const Ended ended = run.run(1, "0/0:exot=3")[0];
  CHECK(ended.code == 2);
  CHECK(contains(ended.err, "DDP_FAULTS: 'exot=3'"));
}

TEST_CASE("exit, throw, segfault and abort are triggered after their step, and reported before") {
  struct Case {
    const char* fault;
    int code;
  };
  for (const Case c : {Case{"exit=7", 7}, Case{"throw", 128 + SIGABRT},
                       Case{"segfault", 128 + SIGSEGV}, Case{"abort", 128 + SIGABRT}}) {
    CAPTURE(c.fault);
    const std::string spec = std::string(c.fault) + "@step=5,rank=0,seed=1";
    Run run;
    CHECK(run.run(1, "3/0:" + spec)[0].code == c.code);
    CHECK(run.launcher(0).count("X_DDP_STEP=5") == 1);
    CHECK(run.launcher(0).count("X_DDP_FAULT=3.0@5") == 1);
    CHECK(run.launcher(0).lines().back() == "BARRIER=1");
    CHECK(run.launcher(0).count("X_DDP_STEP=6") == 0);
  }
  // A fault that the launcher knows to be triggered is not triggered again.
  Run run;
  CHECK(run.run(1, "3/1:exit=7@step=5,rank=0,seed=1")[0].code == 0);
  CHECK(run.launcher(0).count_prefixed("X_DDP_FAULT=") == 0);
}

TEST_CASE("a rank that leaves out an all-reduce and its peers wait until their deadlines") {
  Run run;
  const auto ended =
      run.run(2, "0/0:skip-allreduce@step=5,rank=1,seed=1", {"--comm-timeout", "5s"});
  for (const std::size_t rank : {std::size_t{0}, std::size_t{1}}) {
    CAPTURE(ended[rank].err);
    CHECK(ended[rank].code == 1);
    CHECK(contains(ended[rank].err, "the all-reduce of bucket 0 in step 5 failed"));
    CHECK(run.launcher(rank).count("X_DDP_STEP=4") == 1);
    CHECK(run.launcher(rank).count("X_DDP_STEP=5") == 0);
  }
  CHECK(run.launcher(1).count("X_DDP_FAULT=0.0@5") == 1);
  CHECK(run.launcher(0).count_prefixed("X_DDP_FAULT=") == 0);
}

TEST_CASE("the exit of a peer ends the wait for it even if Gloo does not see it") {
  // What stands still is not in Gloo at all; its deadline is a minute.
  for (const auto& [stays, leaves] : {std::pair(0, 1), std::pair(1, 0)}) {
    CAPTURE(stays);
    Run run;
    const auto ended =
        run.run(2, "0/0:skip-allreduce@step=5,rank=" + std::to_string(stays) +
                       ",seed=1;1/0:exit=9@step=4,rank=" + std::to_string(leaves) + ",seed=1");
    CHECK(ended[static_cast<std::size_t>(leaves)].code == 9);
    const Ended& stayed = ended[static_cast<std::size_t>(stays)];
    CHECK(stayed.code == 1);
    CHECK(stayed.err == "worker: rank " + std::to_string(stays) +
                            ": gloo: the all-reduce of bucket 0 in step 5 failed: rank " +
                            std::to_string(leaves) + " is gone\n");
  }
}

TEST_CASE("a rank that dies in an all-reduce leaves its peers in the same one") {
  Run run;
  const auto ended = run.run(2, "0/0:die-in-allreduce@step=5,rank=1,seed=1");
  CHECK(ended[1].code == 128 + SIGKILL);
  CHECK(ended[0].code == 1);
  CHECK(contains(ended[0].err, "the all-reduce of bucket 0 in step 5 failed"));
  CHECK(run.launcher(1).count("X_DDP_FAULT=0.0@5") == 1);
  CHECK(run.launcher(1).count("X_DDP_STEP=4") == 1);
  CHECK(run.launcher(1).count("X_DDP_STEP=5") == 0);
}

TEST_CASE("a NaN gradient on one rank ends all ranks, and no checkpoint has it") {
  Run run;
  for (const std::vector<std::string>& clip :
       {std::vector<std::string>{}, std::vector<std::string>{"--grad-clip", "0"}}) {
    std::vector<std::string> flags = run.with_checkpoints(1);
    flags.insert(flags.end(), clip.begin(), clip.end());
    const auto ended = run.run(2, "0/0:nan@step=5,rank=1,seed=1", flags);
    CAPTURE(ended[0].err);
    CHECK(ended[0].code == 1);
    CHECK(contains(ended[0].err, "not finite"));
    CHECK(contains(ended[0].err, "step 5"));
    CHECK(ended[1].code == 1);
    // Started again without the fault, the run continues behind step 4.
    const auto again = run.run(2, std::nullopt, flags);
    REQUIRE(again[0].code == 0);
    CHECK(json_values(again[0].out, "summary", "first_step") == std::vector<std::string>{"4"});
    std::filesystem::remove_all(run.checkpoints);
  }
}

TEST_CASE("a flipped bit in one rank's gradient changes the result, in the same way each time") {
  Run run;
  const std::string spec = "0/0:bitflip=28@step=5,rank=1,seed=1,choice=";
  const std::string undisturbed = digest(run.run(2, "")[0]);
  const std::string flipped = digest(run.run(2, spec + "77")[0]);
  CHECK(flipped != undisturbed);
  CHECK(digest(run.run(2, spec + "77")[0]) == flipped);
  CHECK(digest(run.run(2, spec + "78")[0]) != flipped);
}

TEST_CASE(
    "a checkpoint changed or cut while it is written is refused by name, the one before used") {
  struct Case {
    const char* fault;
    int code;
    const char* refusal;
  };
  for (const Case c : {Case{"corrupt-checkpoint", 0, "is damaged"},
                       Case{"cut-checkpoint", 128 + SIGKILL, "was cut off"}}) {
    CAPTURE(c.fault);
    Run run;
    const std::string undisturbed = digest(run.run(1, std::nullopt)[0]);
    std::vector<std::string> flags = run.with_checkpoints(3);
    flags.insert(flags.end(), {"--steps", "6"});
    // Due at step 5, it is triggered at the first checkpoint from then on.
    const std::string plan = std::string("0/0:") + c.fault + "@step=5,rank=0,seed=1";
    CHECK(run.run(1, plan, flags)[0].code == c.code);
    CHECK(run.launcher(0).count("X_DDP_FAULT=0.0@6") == 1);

    const Ended again = run.run(1, std::nullopt, run.with_checkpoints(3))[0];
    REQUIRE(again.code == 0);
    CHECK(contains(again.out, "step-0000000006"));
    CHECK(contains(again.out, c.refusal));
    CHECK(json_values(again.out, "summary", "first_step") == std::vector<std::string>{"3"});
    CHECK(digest(again) == undisturbed);
  }
}

TEST_CASE("heartbeats are sent as steps are done, and stop with them") {
  // One is due a microsecond after the last: at every step. The empty plan has each step wait until
  // its report is read, so that none is dropped, however late the launcher reads.
  const Environment asked{{ddp::env::kWatchdogUsec, "4"}};
  Run run;
  REQUIRE(run.run(1, "", {}, asked)[0].code == 0);
  CHECK(run.launcher(0).count("WATCHDOG=1") >= 9);

  // Within an hour there is but the first.
  const Environment seldom{{ddp::env::kWatchdogUsec, "14400000000"}};
  REQUIRE(run.run(1, "", {}, seldom)[0].code == 0);
  CHECK(run.launcher(0).count("WATCHDOG=1") == 1);

  // Rank 1 leaves out an all-reduce: for 5 s, time for many heartbeats, no step is done.
  run.run(2, "0/0:skip-allreduce@step=5,rank=1,seed=1", {"--comm-timeout", "5s"}, asked);
  const auto lines = run.launcher(0).lines();
  const auto last = std::find(lines.begin(), lines.end(), "X_DDP_STEP=4");
  REQUIRE(last != lines.end());
  CHECK(std::count(last, lines.end(), "WATCHDOG=1") <= 2);

  Environment of_another = asked;
  of_another[ddp::env::kWatchdogPid] = "1";
  run.run(1, std::nullopt, {}, of_another);
  CHECK(run.launcher(0).count("WATCHDOG=1") == 0);
}

TEST_CASE("a delay makes its step longer") {
  std::chrono::steady_clock::time_point reported;
  std::chrono::steady_clock::time_point done;
  FakeLauncher launcher([&](const std::string& line) {
    if (line == "X_DDP_FAULT=0.0@5") reported = std::chrono::steady_clock::now();
    if (line == "X_DDP_STEP=5") done = std::chrono::steady_clock::now();
  });
  const Folder folder;
  const std::string data = folder.write("text", sample_text(500));
  Process alone({"--data", data, "--backend", "gloo", "--steps", "6"},
                {{ddp::env::kNotifySocket, launcher.address()},
                 {ddp::env::kDdpFaults, "0/0:delay=200ms@step=5,rank=0,seed=1"}});
  REQUIRE(alone.wait().code == 0);
  CHECK(launcher.count("X_DDP_STEP=6") == 1);
  CHECK(done - reported >= std::chrono::milliseconds(200));
}

TEST_CASE("a fault from outside at a step finds the worker at that step") {
  const Folder folder;
  const std::string data = folder.write("text", sample_text(500));
  // The barrier behind step 5 is not answered until the worker is dead.
  std::promise<const Process*> started;
  FakeLauncher launcher([worker = started.get_future().share()](const std::string& line) {
    if (line == "X_DDP_STEP=5") worker.get()->signal(SIGKILL);
  });
  Process alone(
      {"--data", data, "--backend", "gloo", "--steps", "1000000", "--log-every", "1", "--json"},
      {{ddp::env::kNotifySocket, launcher.address()}, {ddp::env::kDdpFaults, ""}});
  started.set_value(&alone);
  const Ended ended = alone.wait();
  CHECK(ended.code == 128 + SIGKILL);
  CHECK(json_values(ended.out, "step", "step").size() <= 5);
  CHECK(launcher.count("X_DDP_STEP=5") == 1);
  CHECK(launcher.count("X_DDP_STEP=6") == 0);
}
