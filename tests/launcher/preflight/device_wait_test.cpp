#include "launcher/preflight/device_wait.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

const DeviceReport kReport{
    {.index = 0, .uuid = "GPU-a", .used = 0, .total = 9, .users = {{71, 400}, {72, 50}}},
    {.index = 1, .uuid = "GPU-b", .used = 0, .total = 9, .users = {{80, 7}}}};

bool only_80_exists(int pid) { return pid == 80; }

}  // namespace

TEST_CASE("processes of the last attempt hold a device, and those that are no longer there") {
  const auto holds = holds_of(kReport, {{71, 2}}, /*pids_are_ours=*/true, only_80_exists);
  REQUIRE(holds.size() == 1);
  CHECK(holds[0].device == 0);
  CHECK(holds[0].holders == "pid 71 (rank 2), pid 72");
  CHECK(holds[0].bytes == 450);
}

TEST_CASE("where the driver counts processes in another namespace, only known ones count") {
  const auto holds = holds_of(kReport, {{71, 2}}, /*pids_are_ours=*/false, only_80_exists);
  REQUIRE(holds.size() == 1);
  CHECK(holds[0].holders == "pid 71 (rank 2)");
  CHECK(holds_of(kReport, {}, false, only_80_exists).empty());
}

TEST_CASE("a process of the last attempt that is still there holds its device") {
  const auto holds = holds_of(kReport, {{80, 0}}, true, [](int) { return true; });
  REQUIRE(holds.size() == 1);
  CHECK(holds[0].device == 1);
  CHECK(holds[0].holders == "pid 80 (rank 0)");
}

TEST_CASE("someone else's process does not") {
  CHECK(holds_of(kReport, {}, true, [](int) { return true; }).empty());
}
