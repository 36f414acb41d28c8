// Faults at the start of a worker or an attempt, and faults of the launcher itself.
#include "tests/e2e/fault_run.hpp"

#include <signal.h>

#include <chrono>

using namespace ddp::test;

namespace {

const Words kOnce = Words{"--max-restarts", "1"} + kRestartAtOnce;

std::int64_t started_at(const Scene& scene, const std::string& rank) {
  for (const auto& line : events_of(scene, "worker_started")) {
    if (field(line, "rank") == rank) return std::stoll(field(line, "t_ns"));
  }
  return 0;
}

}  // namespace

TEST_CASE("a worker that fails to start is started in the next attempt") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--inject", "spawn-fail=ENOMEM@rank=1"} + recorded(scene) + kOnce,
      helper({"append", scene.path("journal"), "{RANK} {TORCHELASTIC_RESTART_COUNT}",
              "on-generation", "0", "[", "pause", "]"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err,
                 "rank 1 could not be started: cannot create a process: Cannot allocate "
                 "memory; injected: spawn-fail=ENOMEM@rank=1,gen=0\n"));
  const std::string journal = read_file(scene.path("journal"));
  CHECK_FALSE(contains(journal, "1 0"));
  CHECK(contains(journal, "0 1\n"));
  CHECK(contains(journal, "1 1\n"));
  CHECK(injected(scene) == Words{"spawn-fail=ENOMEM@rank=1,gen=0"});

  const Words nothing = helper({});
  CHECK(scene.run({"--inject", "spawn-fail"}, nothing).status == Status{.code = 71});
  CHECK(scene.run({"--inject", "spawn-fail=ENOENT"}, nothing).status == Status{.code = 127});
  CHECK(scene.run({"--inject", "spawn-fail=EACCES"}, nothing).status == Status{.code = 126});
  CHECK(scene.run(Words{"--inject", "spawn-fail@gen=1"} + kOnce, nothing).status ==
        Status{.code = 0});
}

TEST_CASE("a delayed worker start does not block the launcher") {
  const Scene scene;
  Process launch =
      scene.launch(Words{"--nproc", "2", "--inject", "spawn-delay=400ms@rank=1"} + recorded(scene),
                   helper({"print", "up"}));
  launch.until("[0] up");  // before rank 1 exists
  CHECK(finish(scene, launch).status == Status{.code = 0});
  CHECK(started_at(scene, "1") - started_at(scene, "0") >= 400'000'000);
}

TEST_CASE("a delayed start does not delay the teardown") {
  const Scene scene;
  const auto flags = Words{"--nproc", "2", "--inject", "spawn-delay=1h@rank=1"};
  Process launch = scene.launch(flags, helper({"print", "up", "pause"}));
  launch.until("[0] up");
  launch.send_signal(SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK_FALSE(contains(run.out, "[1]"));
  // Nor does a failure of the started ranks.
  const auto failed = scene.run(flags, helper({"print", "up", "exit", "5"}));
  CHECK(failed.status == Status{.code = 5});
  CHECK_FALSE(contains(failed.out, "[1]"));
}

TEST_CASE("one rank starts without a device in one attempt") {
  const Scene scene;
  const Words steps =
      helper({"env", "CUDA_VISIBLE_DEVICES", "barrier", scene.directory.string(), "on-generation",
              "0", "[", "on-rank", "0", "[", "exit", "1", "]", "pause", "]"});
  const auto run =
      scene.run(Words{"--nproc", "2", "--inject", "hide-device@rank=1,gen=1"} + kOnce, steps);
  CHECK(run.status == Status{.code = 0});
  const auto ranks = by_rank(run.out);
  CHECK(ranks.at(0) == Words{"CUDA_VISIBLE_DEVICES unset", "CUDA_VISIBLE_DEVICES unset"});
  CHECK(ranks.at(1) == Words{"CUDA_VISIBLE_DEVICES unset", "CUDA_VISIBLE_DEVICES=-1"});
}

TEST_CASE("MASTER_PORT is in use by another process in one attempt") {
  const Scene scene;
  const Words steps = helper({"on-rank", "0", "[", "listen-master", "print", "listening", "]"});
  const auto run =
      scene.run(Words{"--nproc", "1", "--inject", "port-taken"} + recorded(scene) + kOnce, steps);
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "listen at MASTER_PORT: Address already in use"));
  CHECK(contains(run.err, "rank 0 exited with code 99"));
  CHECK(contains(run.err, "; injected: port-taken@gen=0"));
  CHECK(by_rank(run.out).at(0) == Words{"listening"});
  CHECK(events_of(scene, "fault_undone").size() == 1);
  CHECK(scene.run({"--nproc", "1"}, steps).err == "");
}

TEST_CASE("the supervisor is killed and the keeper leaves no process") {
  const Scene scene;
  const Words steps = helper({"fork", "[", "setsid", "ignore", "TERM", "pause", "]", "steps", "1",
                              "3", "print", "past it", "pause"});
  const auto run = scene.run(
      Words{"--nproc", "2", "--inject", "kill-supervisor@step=2"} + recorded(scene), steps);
  CHECK(run.status == Status{.code = 70});
  CHECK(contains(run.err, "the supervisor was killed by SIGKILL"));
  CHECK_FALSE(contains(run.out, "past it"));
  CHECK(injected(scene) == Words{"kill-supervisor@step=2,gen=0"});
  CHECK(contains(run.err, "injected kill-supervisor@step=2,gen=0"));
}

TEST_CASE("the keeper is killed and the supervisor leaves no process") {
  const Scene scene;
  Process launch =
      scene.launch(Words{"--nproc", "2", "--inject", "kill-keeper@step=2"} + recorded(scene),
                   helper({"steps", "1", "2", "pause"}));
  CHECK(launch.wait_exit() == Status{.signal = SIGKILL});
  launch.wait_nothing_left();
  scene.check_no_file_left();
  CHECK(injected(scene) == Words{"kill-keeper@step=2,gen=0"});
  launch.wait();
  CHECK(contains(launch.err(), "ddp-launch itself was killed, so the group is stopped"));
}

TEST_CASE("what faults changed is undone even if the whole launcher is killed") {
  const Scene scene;
  Process launch = scene.launch(
      Words{"--nproc", "3", "--inject", "stop@step=1,rank=0", "--inject", "slow=0.1@step=1,rank=1",
            "--inject", "block-output@step=1,rank=2", "--inject", "port-taken"} +
          recorded(scene),
      helper({"steps", "1", "2", "pause"}));
  launch.until_err("injected block-output");
  kill(supervisor_pid(launch), SIGKILL);
  CHECK(finish(scene, launch).status == Status{.code = 70});
}
