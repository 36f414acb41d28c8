#include "launcher/hangs/ras_ranks.hpp"

#include <doctest/doctest.h>

namespace {

using namespace ddp;

core::RasRank listed(int number, int pid) { return {.number = number, .pid = pid, .rank = {}}; }

// Number 2 has the pid of rank 4, which runs on this machine.
core::RasCommunicator communicator(int size) {
  core::RasCommunicator communicator;
  communicator.size = size;
  communicator.missing = {listed(3, 0)};
  communicator.mismatches = {
      {"AllReduce", {{42, 2, {listed(0, 900), listed(1, 901)}}, {41, 1, {listed(2, 104)}}}}};
  return communicator;
}

const std::map<int, std::int64_t> kPids{{104, 4}, {105, 5}};

}  // namespace

TEST_CASE("a communicator of all ranks numbers them as the launch does, whatever their pids") {
  for (const bool one_machine : {true, false}) {
    auto world = communicator(8);
    name_ras_ranks(world, {.world_size = 8, .one_machine = one_machine, .pids = kPids});
    CHECK(world.missing[0].rank == 3);
    CHECK(world.mismatches[0].counts[0].ranks[1].rank == 1);
    CHECK(world.mismatches[0].counts[1].ranks[0].rank == 2);  // a rank of another machine
  }
}

TEST_CASE("in another communicator pids are recognised if the launch has one machine") {
  auto half = communicator(4);
  name_ras_ranks(half, {.world_size = 8, .one_machine = true, .pids = kPids});
  CHECK(half.mismatches[0].counts[1].ranks[0].rank == 4);
  CHECK_FALSE(half.mismatches[0].counts[0].ranks[0].rank);
  CHECK_FALSE(half.missing[0].rank);  // without a pid
  auto spread = communicator(4);
  name_ras_ranks(spread, {.world_size = 8, .one_machine = false, .pids = kPids});
  CHECK_FALSE(spread.mismatches[0].counts[1].ranks[0].rank);
}
