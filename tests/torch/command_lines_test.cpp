// torchrun's lines from public projects: `ddp-launch` in place of `torchrun` accepts each and
// starts what it names, or refuses it by the flag's name with what to write instead.
#include "tests/torch/torch_launch.hpp"

using namespace ddp::test;

namespace {

struct Line {
  const char* from;
  Words words;          // after "torchrun"; addresses are those of RFC 5737's documentation
  const char* size;     // of the dry run's first line
  const char* command;  // what every rank runs, behind the interpreter
};

const Words kTwoMachines{"--nnodes",         "2",
                         "--nproc_per_node", "1",
                         "--rdzv_id",        "2024",
                         "--rdzv_backend",   "c10d",
                         "--rdzv_endpoint",  "192.0.2.1:29500"};

const Line kLines[] = {
    {"pytorch/examples, distributed/ddp, README.md",
     {"--nnodes=1", "--nproc_per_node=8", "example.py"},
     "8 workers on node 0 of 1, world size 8",
     " -u example.py\n"},
    {"pytorch/examples, distributed/ddp, run_example.sh",
     {"--nnodes=1", "--nproc_per_node=4", "--rdzv_id=101", "--rdzv_endpoint=localhost:5972",
      "example.py"},
     "4 workers on node 0 of 1, world size 4",
     " -u example.py\n"},
    {"pytorch/examples, distributed/minGPT-ddp, run_example.sh",
     {"--standalone", "--nproc_per_node=16", "main.py"},
     "16 workers on node 0 of 1, world size 16",
     " -u main.py\n"},
    {"pytorch/examples, distributed/ddp-tutorial-series, slurm/sbatch_run.sh, with --node-rank",
     Words{"--node-rank", "1"} + kTwoMachines + Words{"multinode_torchrun.py", "50", "10"},
     "1 worker on node 1 of 2, world size 2", " -u multinode_torchrun.py 50 10\n"},
    {"karpathy/nanoGPT, README.md",
     {"--standalone", "--nproc_per_node=8", "train.py", "config/train_gpt2.py"},
     "8 workers on node 0 of 1, world size 8",
     " -u train.py config/train_gpt2.py\n"},
    {"karpathy/nanoGPT, two machines",
     {"--nproc_per_node=8", "--nnodes=2", "--node_rank=1", "--master_addr=192.0.2.1",
      "--master_port=1234", "train.py"},
     "8 workers on node 1 of 2, world size 16",
     " -u train.py\n"},
    {"pytorch/torchtitan, run_train.sh",
     {"--nproc_per_node=8", "--rdzv_backend", "c10d", "--rdzv_endpoint=localhost:0",
      "--local-ranks-filter", "0", "--role", "rank", "--tee", "3", "-m", "torchtitan.train",
      "--module", "llama3", "--config", "llama3_debugmodel"},
     "8 workers on node 0 of 1, world size 8",
     " -u -m torchtitan.train --module llama3 --config llama3_debugmodel\n"},
    {"pytorch/torchtitan, multinode_trainer.slurm, with --node-rank",
     {"--node-rank", "3", "--nnodes", "4", "--nproc_per_node", "8", "--rdzv_id", "101",
      "--rdzv_backend", "c10d", "--rdzv_endpoint", "192.0.2.1:29500", "-m", "torchtitan.train",
      "--module", "llama3"},
     "8 workers on node 3 of 4, world size 32",
     " -u -m torchtitan.train --module llama3\n"},
};

// Where the scripts of the lines exist, as they do for who types them.
TorchScene scene_with_scripts() {
  TorchScene scene;
  for (const char* name :
       {"example.py", "main.py", "train.py", "multinode_torchrun.py", "multigpu_torchrun.py"}) {
    write_file(scene.path(name), "raise SystemExit('nothing is started')\n");
  }
  return scene;
}

}  // namespace

TEST_CASE("torchrun's lines of public projects are accepted") {
  const TorchScene scene = scene_with_scripts();
  for (const auto& line : kLines) {
    CAPTURE(line.from);
    const auto run = scene.run(Words{"--dry-run"} + line.words, {});
    CAPTURE(run.err);
    CHECK(run.status == Status{.code = 0});
    CHECK_MESSAGE(contains(run.out, line.size), run.out);
    CHECK_MESSAGE(contains(run.out, line.command), run.out);
  }
}

TEST_CASE("--nproc_per_node=gpu counts the GPUs, and is refused where there is none") {
  // pytorch/examples, distributed/ddp-tutorial-series, run_multigpu_torchrun.sh
  const TorchScene scene = scene_with_scripts();
  const auto run = scene.run(
      {"--dry-run", "--standalone", "--nproc_per_node=gpu", "multigpu_torchrun.py", "50", "10"},
      {});
  if (run.status == Status{.code = 0}) {
    CHECK(contains(run.out, " -u multigpu_torchrun.py 50 10\n"));
  } else {
    CHECK(run.status == Status{.code = 2});
    CHECK(contains(run.err, "no cuda device is seen here"));
  }
}

TEST_CASE("c10d on two machines without --node-rank is refused, and the flag is named") {
  // pytorch/examples, distributed/minGPT-ddp, mingpt/slurm/sbatch_run.sh
  const TorchScene scene = scene_with_scripts();
  const auto run = scene.run(Words{"--dry-run"} + kTwoMachines + Words{"main.py"}, {});
  CHECK(run.status == Status{.code = 2});
  CHECK(contains(run.err, "--node-rank"));
}

TEST_CASE("PET_ variables are defaults") {
  TorchScene scene = scene_with_scripts();
  scene.env["PET_NPROC_PER_NODE"] = "2";
  const auto run = scene.run({"--dry-run", "train.py"}, {});
  CHECK(run.status == Status{.code = 0});
  CHECK_MESSAGE(contains(run.out, "2 workers on node 0 of 1, world size 2"), run.out);
}

TEST_CASE("a script and a module run under Python") {
  TorchScene scene;
  scene.env["PYTHON_EXEC"] = DDP_PYTHON;
  scene.env["PYTHONPATH"] = DDP_TORCH_SCRIPTS;
  const Words programs[] = {{DDP_TORCH_SCRIPTS "/steps.py"}, {"-m", "steps"}};
  for (const auto& program : programs) {
    CAPTURE(program.back());
    const auto run = scene.run(Words{"--standalone", "--nproc_per_node=2"} + program, {});
    CHECK(run.status == Status{.code = 0});
    CHECK(sorted(lines_of(run.out)) == Words{"[0] rank 0: 5 steps", "[1] rank 1: 5 steps"});
  }
}
