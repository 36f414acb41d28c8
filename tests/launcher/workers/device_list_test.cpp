#include "launcher/workers/device_list.hpp"

#include "launcher/os/devices.hpp"
#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace ddp;
using Words = std::vector<std::string>;

namespace {

Result<Words> list(const std::string& text, const std::optional<Words>& visible = std::nullopt) {
  return parse_device_list({"--devices", text}, visible, "CUDA_VISIBLE_DEVICES");
}

}  // namespace

TEST_CASE("devices are indices, ranges and UUIDs") {
  CHECK(*list("2,5") == Words{"2", "5"});
  CHECK(*list("0-3") == Words{"0", "1", "2", "3"});
  CHECK(*list("7-7,0") == Words{"7", "0"});
  CHECK(*list("GPU-8a1b-4c,MIG-GPU-8a1b/1/0,3") == Words{"GPU-8a1b-4c", "MIG-GPU-8a1b/1/0", "3"});
  for (const char* bad : {"", ",", "1,", ",1", "a", "-1", "3-1", "1-", "1--2", "01", "1.5", "GPU-",
                          "GPU-x y", "gpu-1", "0-4096", "4096", "99999999999999999999", "1 ,2"}) {
    CAPTURE(bad);
    REQUIRE_FALSE(list(bad));
    CHECK(list(bad).error().starts_with("--devices is '" + std::string(bad) +
                                        "': expected indices, ranges or UUIDs"));
  }
}

TEST_CASE("an index counts what is visible") {
  CHECK(*list("1,0", Words{"4", "GPU-aa"}) == Words{"GPU-aa", "4"});
  CHECK_FALSE(list("2", Words{"4", "5"}));
  // The same device by index and by name.
  CHECK(list("1,GPU-aa", Words{"4", "GPU-aa"}).error() ==
        "--devices is '1,GPU-aa': expected each device once, not 'GPU-aa' twice");
}

TEST_CASE("a visible list ends at the first entry that is no device") {
  CHECK(read_visible_devices("0,1") == Words{"0", "1"});
  CHECK(read_visible_devices(" 0 , GPU-a ") == Words{"0", "GPU-a"});
  CHECK(read_visible_devices("0,-1,1") == Words{"0"});
  CHECK(read_visible_devices("0,,1") == Words{"0"});
  CHECK(read_visible_devices("").empty());
  CHECK(read_visible_devices("none").empty());
  CHECK(read_visible_devices("0.1,0.2") == Words{"0.1", "0.2"});  // ZE_AFFINITY_MASK's tiles
}

TEST_CASE("random lists are read or refused, and never name a device twice") {
  std::mt19937 random(1);
  const char kBytes[] = "0123456789,,--GPUMIG-abx ";
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t i = random() % 12; i > 0; --i) text += kBytes[random() % (sizeof kBytes - 1)];
    const auto devices = list(text);
    if (!devices) {
      CHECK(devices.error().starts_with("--devices is '"));
      continue;
    }
    ++accepted;
    CHECK_FALSE(devices->empty());
    CHECK(std::set<std::string>(devices->begin(), devices->end()).size() == devices->size());
  }
  CHECK(accepted > 500);
}

TEST_CASE("GPUs are counted by their device nodes, else by the driver's list") {
  const FakeMachine machine;
  const std::string root = machine.root;
  CHECK(os::count_cuda_devices(root) == 0);
  machine.file("proc/driver/nvidia/gpus/0000:17:00.0/information");
  machine.file("proc/driver/nvidia/gpus/0000:65:00.0/information");
  machine.file("proc/driver/nvidia/gpus/0000:ca:00.0/information");
  CHECK(os::count_cuda_devices(root) == 3);
  for (const char* other : {"nvidiactl", "nvidia-uvm", "nvidia-modeset", "nvidia", "nvidia1x"})
    machine.file(std::string("dev/") + other);
  CHECK(os::count_cuda_devices(root) == 3);
  machine.file("dev/nvidia0");
  machine.file("dev/nvidia12");
  CHECK(os::count_cuda_devices(root) == 2);  // what a container was given
}

TEST_CASE("other kinds of devices are counted where their drivers show them") {
  const FakeMachine machine;
  const std::string root = machine.root;
  CHECK(os::count_hip_devices(root) == 0);
  CHECK(os::count_ascend_devices(root) == 0);
  machine.file("sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");  // the CPU
  machine.file("sys/class/kfd/kfd/topology/nodes/1/gpu_id", "41216\n");
  machine.file("sys/class/kfd/kfd/topology/nodes/2/gpu_id", "9\n");
  machine.file("sys/class/kfd/kfd/topology/nodes/3/name", "no gpu_id");
  machine.file("dev/davinci0");
  machine.file("dev/davinci_manager");
  CHECK(os::count_hip_devices(root) == 2);
  CHECK(os::count_ascend_devices(root) == 1);
}

TEST_CASE("there is a CPU to run on") { CHECK(os::count_cpus() >= 1); }
