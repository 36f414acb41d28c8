#include "launcher/placement/device_nodes.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

using Words = std::vector<std::string>;

class Gpus : public FakeMachine {
 public:
  void cuda(const std::string& address, int minor, const std::string& uuid,
            const std::string& model = "NVIDIA H100") const {
    file("proc/driver/nvidia/gpus/" + address + "/information",
         "Model: \t\t " + model + "\nGPU UUID: \t " + uuid + "\nDevice Minor: \t " +
             std::to_string(minor) + "\n");
    file("dev/nvidia" + std::to_string(minor));
  }
  Words devices(const WorkerOptions& workers, int nproc) const {
    return rank_devices(workers, nproc, devices_of(workers.device_type, root.string()),
                        machine().get_env);
  }
};

}  // namespace

TEST_CASE("the PCI address of each rank's GPU, by index and by UUID") {
  Gpus machine;
  WorkerOptions workers;
  CHECK(machine.devices(workers, 2) == Words{"", ""});
  machine.cuda("0000:5e:00.0", 1, "GPU-bb11");
  machine.cuda("0000:3b:00.0", 0, "GPU-aa11");
  machine.cuda("0000:af:00.0", 2, "GPU-cc11");
  // The machine's, but not this container's.
  machine.file("proc/driver/nvidia/gpus/0000:d8:00.0/information", "Device Minor: \t 3\n");
  CHECK(machine.devices(workers, 4) == Words{"0000:3b:00.0", "0000:5e:00.0", "0000:af:00.0", ""});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "2,GPU-aa,MIG-1";
  CHECK(machine.devices(workers, 3) == Words{"0000:af:00.0", "0000:3b:00.0", ""});
  workers.devices = {"1"};
  workers.share_devices = true;
  CHECK(machine.devices(workers, 2) == Words{"0000:5e:00.0", "0000:5e:00.0"});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "";
  CHECK(machine.devices({}, 1) == Words{""});
}

TEST_CASE("an index of different GPUs says nothing, unless CUDA orders them by address") {
  Gpus machine;
  machine.cuda("0000:3b:00.0", 0, "GPU-aa11", "NVIDIA T400");
  machine.cuda("0000:5e:00.0", 1, "GPU-bb11");
  CHECK(machine.devices({}, 2) == Words{"", ""});
  WorkerOptions workers;
  workers.devices = {"GPU-bb11", "0"};
  CHECK(machine.devices(workers, 2) == Words{"0000:5e:00.0", ""});
  machine.environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  CHECK(machine.devices({}, 2) == Words{"0000:3b:00.0", "0000:5e:00.0"});
}

TEST_CASE("AMD's and Intel's GPUs are found as well; an Ascend device is not") {
  Gpus machine;
  const std::string nodes = "sys/class/kfd/kfd/topology/nodes/";
  machine.file(nodes + "0/gpu_id", "0\n");
  machine.file(nodes + "10/gpu_id", "77\n");
  machine.file(nodes + "10/properties", "cpu_cores_count 0\ndomain 1\nlocation_id 768\n");
  machine.file(nodes + "2/gpu_id", "66\n");
  machine.file(nodes + "2/properties", "location_id 49409\n");
  WorkerOptions workers;
  workers.device_type = DeviceType::hip;
  CHECK(machine.devices(workers, 2) == Words{"0000:c1:00.1", "0001:03:00.0"});

  machine.file("dev/dri/renderD128");
  machine.file("sys/devices/0000:9a:00.0/vendor", "0x8086\n");
  machine.file("sys/class/drm/renderD128/uevent");
  std::filesystem::create_directory_symlink(machine.root / "sys/devices/0000:9a:00.0",
                                            machine.root / "sys/class/drm/renderD128/device");
  workers.device_type = DeviceType::ze;
  CHECK(machine.devices(workers, 1) == Words{"0000:9a:00.0"});
  machine.file("dev/davinci0");
  workers.device_type = DeviceType::ascend;
  CHECK(machine.devices(workers, 1) == Words{""});
}

TEST_CASE("a rank is near the node of its device, if the machine knows it") {
  const Topology topology{.cpus = {{}},
                          .devices = {{"0000:3b:00.0", 1}, {"0000:5e:00.0", -1}, {"", 3}}};
  CHECK(nodes_of({"0000:3b:00.0", "0000:5e:00.0", "0000:af:00.0", ""}, topology) ==
        std::vector<std::optional<int>>{1, std::nullopt, std::nullopt, std::nullopt});
}
