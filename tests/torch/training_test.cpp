// PyTorch's process groups, DistributedDataParallel and helpers under ddp-launch.
#include "tests/support/reserved_port.hpp"
#include "tests/torch/torch_launch.hpp"

#include <optional>

using namespace ddp::test;

TEST_CASE("the tutorial's DDP script trains on four ranks, unchanged") {
  TorchScene scene;
  scene.env["PYTHON_EXEC"] = DDP_PYTHON;
  Process launch = scene.launch({"--nproc-per-node", "4", DDP_TORCH_SCRIPTS "/article.py"}, {});
  const auto run = finish_torch(scene, launch);
  CHECK(run.status == Status{.code = 0});
  const auto ranks = by_rank(run.out);
  REQUIRE(ranks.size() == 4);
  for (const auto& [rank, lines] : ranks) {
    const std::string number = std::to_string(rank);
    REQUIRE(lines.size() == 5);
    std::optional<double> before;
    for (std::size_t epoch = 0; epoch < 4; ++epoch) {
      const auto& line = lines[epoch];
      CHECK(contains(line, "Epoch " + std::to_string(epoch) + " | rank " + number +
                               " | local rank " + number + " | loss "));
      const double loss = std::stod(line.substr(line.rfind(' ')));
      if (before) CHECK(loss < *before);
      before = loss;
    }
    // Averaged gradients: the same weights on every rank.
    CHECK(lines[4] == ranks.at(0)[4]);
  }
}

TEST_CASE("a process group forms by tcp:// from MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "2"}, "rendezvous.py", {"tcp"});
  CHECK(run.status == Status{.code = 0});
  CHECK(sorted(lines_of(run.out)) == Words{"[0] rank 0 of 2, local rank 0 of 2, node 0: sum 3",
                                           "[1] rank 1 of 2, local rank 1 of 2, node 0: sum 3"});
}

TEST_CASE("two machines of two devices each form one group") {
  const TorchScene scene;
  const ReservedPort port;  // bound without a listener, it does not count as in use
  const auto flags = [&](const char* node) {
    return Words{"--nnodes",         "2",
                 "--node-rank",      node,
                 "--nproc-per-node", "2",
                 "--rdzv-backend",   "c10d",
                 "--rdzv-endpoint",  "127.0.0.1:" + std::to_string(port.number()),
                 "--rdzv-id",        "two"};
  };
  Process first = scene.launch_script(flags("0"), "rendezvous.py", {"env"});
  Process second = scene.launch_script(flags("1"), "rendezvous.py", {"env"});
  CHECK(first.wait(torch_deadline()) == Status{.code = 0});
  CHECK(second.wait(torch_deadline()) == Status{.code = 0});
  scene.check_nothing_left(first);
  scene.check_nothing_left(second);
  CHECK(sorted(lines_of(first.out() + second.out())) ==
        Words{"[0] rank 0 of 4, local rank 0 of 2, node 0: sum 15",
              "[1] rank 1 of 4, local rank 1 of 2, node 0: sum 15",
              "[2] rank 2 of 4, local rank 0 of 2, node 1: sum 15",
              "[3] rank 3 of 4, local rank 1 of 2, node 1: sum 15"});
}

TEST_CASE("after os._exit in rank 2 the group resumes from its checkpoint") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "3", "--max-restarts", "1"}, "resume.py",
                                    {scene.directory.string()});
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "ddp-launch: rank 2 exited with code 13"));
  CHECK(by_rank(run.out)[2] ==
        Words{"attempt 0 begins after step 0", "attempt 1 begins after step 5"});
  CHECK(by_rank(run.out)[0].back() == "as undisturbed");
}

TEST_CASE("torch.multiprocessing.spawn works inside a rank") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "1"}, "spawn.py", {scene.path("store")});
  CHECK(run.status == Status{.code = 0});
  CHECK(sorted(lines_of(run.out)) ==
        Words{"[0] joined", "[0] process 0 of rank 0: sum 3", "[0] process 1 of rank 0: sum 3"});
}

TEST_CASE("a rank may exit with 0 long before another one does") {
  const TorchScene scene;
  const auto run = scene.run_script({"--nproc", "2"}, "ends.py");
  CHECK(run.status == Status{.code = 0});
  CHECK(run.out == "[1] rank 0 has exited\n");
  CHECK(run.err == "");
}

TEST_CASE("PyTorch takes ddp-launch for torchrun, and reads the attempt") {
  const TorchScene scene;
  const auto run =
      scene.run_script({"--nproc", "2", "--max-restarts", "2", "--run-id", "job"}, "elastic.py");
  CHECK(run.status == Status{.code = 0});
  for (const int rank : {0, 1}) {
    CHECK(by_rank(run.out)[rank] == Words{"launched", "RUN_ID job", "RESTART_COUNT 1",
                                          "MAX_RESTARTS 2", "USE_AGENT_STORE False",
                                          "error file True"});
  }
}

TEST_CASE("under torchrun examples/ddp_faults.py does nothing") {
  const TorchScene scene;
  const ReservedPort port;
  auto start = scene.start({}, {});
  start.argv = torchrun(port.number(), "steps.py");
  Process process(std::move(start));
  CHECK(process.wait(torch_deadline()) == Status{.code = 0});
  CHECK(sorted(lines_of(process.out())) == Words{"rank 0: 5 steps", "rank 1: 5 steps"});
}
