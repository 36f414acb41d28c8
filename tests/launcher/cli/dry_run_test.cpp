#include "launcher/workers/worker_environment.hpp"
#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

std::string table(const Options& options, std::vector<const char*> parent = {}) {
  parent.push_back(nullptr);
  return dry_run_table(options, parent.data());
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a dry run shows each rank, what all share, and the command") {
  FakeMachine machine;
  const auto parsed = machine.parse({"--nproc", "2", "--devices", "2,5", "--virtual-local-rank",
                                     "--run-id", "r1", "--", "./worker", "two words", "it's", ""});
  REQUIRE(std::holds_alternative<Options>(parsed));
  CHECK(table(std::get<Options>(parsed)) ==
        R"(run r1: 2 workers on node 0 of 1, world size 2; nothing is started

  RANK  device  LOCAL_RANK  ROLE_RANK  TORCHELASTIC_ERROR_FILE          NOTIFY_SOCKET             CUDA_VISIBLE_DEVICES
  0     2       0           0          <run directory>/errors_0/0.json  <run directory>/notify.0  2
  1     5       0           1          <run directory>/errors_0/1.json  <run directory>/notify.1  5

environment of every rank:
  WORLD_SIZE                       2
  LOCAL_WORLD_SIZE                 2
  GROUP_RANK                       0
  GROUP_WORLD_SIZE                 1
  ROLE_NAME                        default
  ROLE_WORLD_SIZE                  2
  MASTER_ADDR                      127.0.0.1
  MASTER_PORT                      <a fresh port each attempt>
  TORCHELASTIC_RUN_ID              r1
  TORCHELASTIC_RESTART_COUNT       0
  TORCHELASTIC_MAX_RESTARTS        0
  TORCHELASTIC_USE_AGENT_STORE     False
  TORCH_NCCL_ASYNC_ERROR_HANDLING  1
  NCCL_ASYNC_ERROR_HANDLING        1
  NCCL_DEBUG                       WARN
  NCCL_RAS_ADDR                    127.0.0.1:<a port of the launch>
  OMP_NUM_THREADS                  1
  PYTHONUNBUFFERED                 1
  DDP_RUN_DIR                      <run directory>
  DDP_RUN_ID                       r1

settings, and where they come from:
  --nproc               2     command line
  --devices             2,5   command line
  --virtual-local-rank  true  command line
  --run-id              r1    command line

command:
  ./worker 'two words' 'it'\''s' ''
)");
}

TEST_CASE("a dry run shows where each value comes from") {
  FakeMachine machine;
  machine.pet = {{"PET_MAX_RESTARTS", "3"}};
  machine.file("run.toml", "role = \"trainer one\"\n");
  const std::string config = machine.root / "run.toml";
  CHECK(has(table(machine.good({"--config", config, "--run_id=r"})),
            "\nsettings, and where they come from:\n"
            "  --role          'trainer one'  " +
                config +
                ":1:1\n"
                "  --run-id        r              command line\n"
                "  --max-restarts  3              PET_MAX_RESTARTS\n"));
}

TEST_CASE("the device is the one LOCAL_RANK selects, as far as it is known") {
  const FakeMachine machine;
  CHECK(has(table(machine.good({"--run-id", "r"})), "\n  0     -       0"));
  CHECK(has(table(machine.good({"--run-id", "r"}), {"CUDA_VISIBLE_DEVICES=7"}),
            "\n  0     7       0"));
  CHECK(has(table(machine.good({"--run-id", "r", "--device-type", "cpu"})), "\n  0     cpu     0"));
}

TEST_CASE("a dry run of the second machine shows its own ranks and the agreed port") {
  const FakeMachine machine;
  const std::string text = table(
      machine.good({"--nnodes", "2", "--node-rank", "1", "--nproc", "2", "--master-addr", "host0",
                    "--master-port", "29500", "--run-id", "r", "--log-dir", "logs"}));
  CHECK(has(text, "2 workers on node 1 of 2, world size 4"));
  CHECK(has(text, "\n  2 "));
  CHECK(has(text, "\n  3 "));
  CHECK_FALSE(has(text, "\n  0 "));
  CHECK(has(text, "  MASTER_PORT                      29500\n"));
  CHECK(has(text, "logs/r/attempt_0/1/error.json"));
}

TEST_CASE("a dry run shows the faults and the ranks and steps that the seed chose") {
  const FakeMachine machine;
  const Options options = machine.good(
      {"--nproc", "4", "--inject", "kill@step=50,rank=2", "--inject", "kill@mtbf=20steps,times=3",
       "--inject", "exit=3@step=10-90,rank=0-1", "--inject", "port-taken", "--fault-seed", "7"});
  const std::string text = table(options);
  CHECK(has(text,
            "\nplanned faults (seed 7):\n  kill@rank=2,step=50\n  "
            "kill@rank=any,mtbf=20steps,times=3\n    rank "));
  CHECK(has(text, "  port-taken\n"));
  // What it shows is injected.
  const fault::Schedule schedule(options.faults.plan.faults[1], 7, 1, fault::Schedule::kAny, 4);
  for (int i = 0; i < 3; ++i) {
    CHECK(has(text, "rank " + std::to_string(schedule.rank(i)) + " at step " +
                        std::to_string(schedule.step(i))));
  }
  const fault::Schedule own(options.faults.plan.faults[2], 7, 2, 1, 4);
  CHECK(has(text, "    rank 1 at step " + std::to_string(own.step(0)) + "\n"));
  CHECK(has(text, "DDP_FAULTS"));
  CHECK(has(text, "2/0:exit=3@rank=0-1,step=10-90,seed=7"));
  CHECK_FALSE(has(table(machine.good({})), "planned faults"));
}
