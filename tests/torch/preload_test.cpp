// Ranks that are forked of a Python that has imported torch.
#include "tests/torch/torch_launch.hpp"

using namespace ddp::test;

TEST_CASE("each rank has its own random numbers and the threads of its environment") {
  TorchScene scene;
  for (const std::string threads : {"1", "2"}) {
    CAPTURE(threads);
    scene.env["OMP_NUM_THREADS"] = threads;
    const auto run = scene.run_script({"--nproc", "2", "--preload", "torch"}, "threads.py");
    CHECK(run.status == Status{.code = 0});
    auto ranks = by_rank(run.out);
    REQUIRE(ranks[0].size() == 2);
    REQUIRE(ranks[1].size() == 2);
    CHECK(ranks[0][0] != ranks[1][0]);
    CHECK(ranks[0][0].ends_with(" " + threads));
    CHECK(ranks[1][0].ends_with(" " + threads));
    CHECK(ranks[0][1] == "700.0");
  }
}

TEST_CASE("preloaded ranks train to the same losses as ranks that import torch themselves") {
  const TorchScene scene;
  const auto ordinary = scene.run_script({"--nproc", "2"}, "article.py");
  const auto preloaded = scene.run_script({"--nproc", "2", "--preload", "auto"}, "article.py");
  CHECK(ordinary.status == Status{.code = 0});
  CHECK(preloaded.status == Status{.code = 0});
  CHECK(by_rank(preloaded.out) == by_rank(ordinary.out));
  REQUIRE_FALSE(ordinary.out.empty());
}
