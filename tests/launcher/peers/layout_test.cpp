#include "launcher/peers/layout.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using core::RankGroup;

TEST_CASE("a layout survives its line, and fits in it") {
  const RankGroup ranks{.nproc = 4096, .nnodes = 65536, .node_rank = 65535};
  const std::string line = layout_line(ranks);
  CHECK(line == "ddp-launch 1 65536 4096 65535\n");
  CHECK(line.size() <= kLongestLayout);
  REQUIRE(read_layout(line));
  CHECK(*read_layout(line) == ranks);
}

TEST_CASE("any other line is no layout") {
  for (const char* const line :
       {"", "\n", "GET / HTTP/1.1\n", "ddp-launch 2 2 2 0\n", "ddp-launch 1 2 2\n",
        "ddp-launch 1 2 2 0 1\n", "ddp-launch 1 2 2 \n", "ddp-launch 1 2 -2 0\n",
        "ddp-launch 1 2 2 0", "ddp-launch 1 2 2 99999\n", "ddp-launch 1  2 2 0\n"}) {
    CAPTURE(line);
    CHECK_FALSE(read_layout(line));
  }
}

TEST_CASE("machines disagree if they count different worlds, or have the same number") {
  const RankGroup own{.nproc = 2, .nnodes = 2, .node_rank = 0};
  CHECK(disagreement(own, {.nproc = 2, .nnodes = 2, .node_rank = 1}).empty());
  CHECK(disagreement(own, {.nproc = 3, .nnodes = 2, .node_rank = 1}) ==
        "node 1 has --nproc 3, node 0 has 2: expected the same on every machine");
  CHECK(disagreement(own, {.nproc = 2, .nnodes = 3, .node_rank = 1}) ==
        "node 1 has --nnodes 3, node 0 has 2: expected the same on every machine");
  CHECK(disagreement(own, {.nproc = 2, .nnodes = 2, .node_rank = 0}) ==
        "two machines have --node-rank 0: expected a different one on each machine");
}
