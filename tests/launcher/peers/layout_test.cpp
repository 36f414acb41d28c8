#include "launcher/peers/layout.hpp"

#include "launcher/peers/peer_check.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

Layout layout(int nnodes, int nproc, int node_rank, std::string run_id = "-") {
  return {{.nproc = nproc, .nnodes = nnodes, .node_rank = node_rank}, std::move(run_id), "l1"};
}

}  // namespace

TEST_CASE("a layout survives its line, and fits in it") {
  Layout longest = layout(65536, 4096, 65535, std::string(64, 'r'));
  longest.launch_id = std::string(64, 'l');
  const std::string line = layout_line(longest);
  CHECK(line.size() <= kLongestLayout);
  CHECK(layout_line(layout(2, 4, 1)) == "ddp-launch 1 2 4 1 - l1\n");
  const auto read = read_layout(line);
  REQUIRE(read);
  CHECK(read->ranks == longest.ranks);
  CHECK(read->run_id == longest.run_id);
  CHECK(read->launch_id == longest.launch_id);
}

TEST_CASE("any other line is no layout") {
  for (const char* const line :
       {"", "\n", "GET / HTTP/1.1\n", "ddp-launch 2 2 2 0 - l\n", "ddp-launch 1 2 2\n",
        "ddp-launch 1 2 2 0\n", "ddp-launch 1 2 2 0 -\n", "ddp-launch 1 2 2 0 - l x\n",
        "ddp-launch 1 2 -2 0 - l\n", "ddp-launch 1 2 2 0 - l", "ddp-launch 1 2 2 99999 - l\n",
        "ddp-launch 1  2 2 0 - l\n", "ddp-launch 1 2 2 0 \x1b[2J l\n"}) {
    CAPTURE(line);
    CHECK_FALSE(read_layout(line));
  }
}

TEST_CASE("machines disagree if they count different worlds, or have the same number") {
  const Layout own = layout(2, 2, 0);
  CHECK(disagreement(own, layout(2, 2, 1)).empty());
  CHECK(disagreement(own, layout(2, 3, 1)) ==
        "node 1 has --nproc 3, node 0 has 2: expected the same on every machine");
  CHECK(disagreement(own, layout(3, 2, 1)) ==
        "node 1 has --nnodes 3, node 0 has 2: expected the same on every machine");
  CHECK(disagreement(own, layout(2, 2, 0)) ==
        "two machines have --node-rank 0: expected a different one on each machine");
}

TEST_CASE("machines of different jobs are recognised if both jobs have a name") {
  CHECK(is_another_job(layout(2, 2, 1, "a"), layout(2, 2, 0, "b")));
  CHECK_FALSE(is_another_job(layout(2, 2, 1, "a"), layout(2, 2, 0, "a")));
  CHECK_FALSE(is_another_job(layout(2, 2, 1, "a"), layout(2, 2, 0)));
  CHECK(disagreement(layout(2, 2, 1, "a"), layout(2, 2, 0, "b")) ==
        "node 0 runs job 'b', not 'a': expected the --master-addr and --master-port of this job");
}

TEST_CASE("the port is one that no neighbour uses, and not privileged") {
  CHECK(peer_port(29500) == 28500);
  CHECK(peer_port(65535) == 64535);
  CHECK(peer_port(2024) == 1024);
  CHECK(peer_port(2023) == 3023);
  CHECK(peer_port(1) == 1001);
}
