#include "launcher/rendezvous/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("two launches make the table of ranks") {
  const FakeMachine machine;
  const Words job{"--nnodes",      "2",     "--nproc", "2", "--master-addr", "127.0.0.1",
                  "--master-port", "29500", "--stdin", "2", "--node-rank"};
  Words first = job;
  first.push_back("0");
  Words second = job;
  second.push_back("1");
  const Options a = machine.good(first);
  const Options b = machine.good(second);
  CHECK(a.ranks.first_rank() == core::GlobalRank{0});
  CHECK(b.ranks.first_rank() == core::GlobalRank{2});
  CHECK(a.ranks.world_size() == 4);
  CHECK_FALSE(a.workers.stdin_rank);
  CHECK(b.workers.stdin_rank == 0);
}
