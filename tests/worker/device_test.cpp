// Which device a rank takes.
#include "worker/base/failure.hpp"
#include "worker/gpu/load.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace ddp::worker;

namespace {

ddp::WorkerEnv local(int rank) {
  ddp::WorkerEnv env;
  env.local_rank = rank;
  return env;
}

}  // namespace

TEST_CASE("a rank takes the device of its local rank; more ranks than devices is an error") {
  CHECK(choose_device(local(0), 2, false) == 0);
  CHECK(choose_device(local(1), 2, false) == 1);
  std::string text;
  try {
    choose_device(local(2), 2, false);
  } catch (const UsageError& error) {
    text = error.what();
  }
  CHECK(text ==
        "LOCAL_RANK is 2: expected 0 to 1, because there are 2 devices here; start as many ranks "
        "as devices, or ddp-launch with --oversubscribe");
}

TEST_CASE("ranks that share devices go round them") {
  for (int rank = 0; rank < 8; ++rank) CHECK(choose_device(local(rank), 3, true) == rank % 3);
  const auto only = [](std::string_view set) {
    return [set](const char* name) { return set == name ? "1" : nullptr; };
  };
  CHECK(devices_are_shared(only("NCCL_HOSTID")));
  CHECK(devices_are_shared(only("NCCL_MULTI_RANK_GPU_ENABLE")));
  CHECK_FALSE(devices_are_shared(only("NCCL_DEBUG")));
}
