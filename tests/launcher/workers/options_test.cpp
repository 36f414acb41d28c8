#include "launcher/workers/options.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace ddp;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST_CASE("--nproc counts what is there") {
  FakeMachine machine;
  CHECK(machine.good({"--nproc", "cpu"}).ranks.nproc == 6);
  CHECK(machine.good({"--nproc", "auto"}).ranks.nproc == 6);
  CHECK(machine.refused({"--nproc", "gpu"}) ==
        "--nproc is 'gpu': expected a number, because no cuda device is seen here");
  machine.gpus(4);
  CHECK(machine.good({"--nproc", "auto"}).ranks.nproc == 4);
  CHECK(machine.good({"--nproc", "gpu"}).ranks.nproc == 4);
  CHECK(machine.good({"--nproc", "cpu"}).ranks.nproc == 6);
  CHECK(machine.good({"--nproc", "auto", "--device-type", "cpu"}).ranks.nproc == 6);
  CHECK(machine.good({"--nproc", "gpu", "--devices", "1,3"}).ranks.nproc == 2);
  const std::pair<const char*, int> listed[] = {{"2,3", 2},
                                                {"0", 1},
                                                {"0,1,2,3,4,5", 4},
                                                {"1,-1,2", 1},
                                                {"MIG-a,MIG-b,MIG-c,MIG-d,MIG-e", 5},
                                                {"GPU-aa,GPU-bb", 2}};
  for (const auto& [value, count] : listed) {
    CAPTURE(value);
    machine.environment["CUDA_VISIBLE_DEVICES"] = value;
    CHECK(machine.good({"--nproc", "gpu"}).ranks.nproc == count);
  }
  for (const char* none : {"", "-1", "NoDevFiles"}) {
    machine.environment["CUDA_VISIBLE_DEVICES"] = none;
    CHECK(machine.good({"--nproc", "auto"}).ranks.nproc == 6);
    CHECK(machine.refused({"--nproc", "gpu"}).find("no cuda device") != std::string::npos);
  }
}

TEST_CASE("--nproc xpu counts Intel's GPUs and chooses their type") {
  FakeMachine machine;
  machine.gpus(4);
  CHECK(machine.refused({"--nproc", "xpu"}) ==
        "--nproc is 'xpu': expected a number, because no ze device is seen here");
  machine.file("dev/dri/renderD128");
  machine.file("dev/dri/renderD129");
  machine.file("dev/dri/renderD130");
  machine.file("dev/dri/card0");
  machine.file("sys/class/drm/renderD128/device/vendor", "0x8086\n");
  machine.file("sys/class/drm/renderD129/device/vendor", "0x1002\n");
  machine.file("sys/class/drm/renderD130/device/vendor", "0x8086\n");
  machine.file("sys/class/drm/renderD131/device/vendor", "0x8086\n");  // not in this container
  const Options options = machine.good({"--nproc", "xpu"});
  CHECK(options.ranks.nproc == 2);
  CHECK(options.workers.device_type == DeviceType::ze);
  CHECK(machine.good({"--nproc", "gpu", "--device-type", "ze"}).ranks.nproc == 2);
  CHECK(machine.good({"--nproc", "xpu", "--device-type", "ze"}).ranks.nproc == 2);
  CHECK(machine.good({"--nproc", "gpu"}).ranks.nproc == 4);
  CHECK(machine.refused({"--nproc", "xpu", "--device-type", "cuda"}) ==
        "--nproc is 'xpu': expected gpu, because xpu counts devices of type ze and --device-type "
        "is cuda");
  const std::pair<const char*, int> listed[] = {{"1", 1}, {"0,1,2", 2}, {"0.0,0.1,1.0", 3}};
  for (const auto& [value, count] : listed) {
    CAPTURE(value);
    machine.environment["ZE_AFFINITY_MASK"] = value;
    CHECK(machine.good({"--nproc", "xpu"}).ranks.nproc == count);
  }
}

TEST_CASE("--device-type npu is another name of ascend") {
  FakeMachine machine;
  for (const char* name : {"npu", "ascend"}) {
    const Options o = machine.good({"--device-type", name, "--devices", "1,3", "--nproc", "2"});
    CHECK(o.workers.device_type == DeviceType::ascend);
    CHECK(std::string(visible_devices_variable(o.workers.device_type)) ==
          "ASCEND_RT_VISIBLE_DEVICES");
  }
  machine.file("dev/davinci0");
  machine.file("dev/davinci1");
  machine.file("dev/davinci_manager");
  CHECK(machine.good({"--nproc", "gpu", "--device-type", "npu"}).ranks.nproc == 2);
}

TEST_CASE("--devices counts what is visible and gives each rank one") {
  FakeMachine machine;
  CHECK(machine.good({"--devices", "0-2,7", "--nproc", "4"}).workers.devices ==
        Words{"0", "1", "2", "7"});
  CHECK(machine.good({"--devices", "2,5", "--nproc", "1"}).workers.devices == Words{"2", "5"});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "4,5,6";
  CHECK(machine.good({"--devices", "2,0", "--nproc", "2"}).workers.devices == Words{"6", "4"});
  CHECK(machine.refused({"--devices", "3"}) ==
        "--devices is '3': expected indices 0 to 2, because CUDA_VISIBLE_DEVICES shows 3, not '3'");
  // Another kind of device has its own variable.
  CHECK(machine.good({"--devices", "3", "--device-type", "hip"}).workers.devices == Words{"3"});
  machine.environment["CUDA_VISIBLE_DEVICES"] = "";
  CHECK(
      machine.refused({"--devices", "0"}) ==
      "--devices is '0': expected no device at all, because CUDA_VISIBLE_DEVICES hides every one");
}

TEST_CASE("--virtual-local-rank finds a device for each rank or says that it cannot") {
  FakeMachine machine;
  CHECK(
      machine.refused({"--virtual-local-rank", "--nproc", "2"}) ==
      "--virtual-local-rank needs 2 devices, one for each rank, and sees 0: expected --devices to "
      "name them, or --device-type cpu");
  CHECK(machine.refused({"--virtual-local-rank", "--device-type", "ze"}) ==
        "--virtual-local-rank needs a device, one for each rank, and sees 0: "
        "expected --devices to name them, or --device-type cpu");
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2", "--device-type", "cpu"})
            .workers.devices.empty());
  machine.gpus(2);
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2"}).workers.devices == Words{"0", "1"});
  CHECK(machine.refused({"--virtual-local-rank", "--nproc", "3"}).find("sees 2") !=
        std::string::npos);
  machine.environment["CUDA_VISIBLE_DEVICES"] = "7,3";
  CHECK(machine.good({"--virtual-local-rank", "--nproc", "2"}).workers.devices == Words{"7", "3"});
  CHECK(machine.refused({"--virtual-local-rank", "--nproc", "3", "--devices", "0,1"}) ==
        "--devices is '0,1': expected 3 devices, one for each rank of this machine, or "
        "--oversubscribe to share them");
}

TEST_CASE(
    "--oversubscribe lets ranks share what devices there are, and does nothing where there "
    "are enough") {
  FakeMachine machine;
  CHECK(
      machine.good({"--oversubscribe", "--nproc", "3"}).workers.share_devices);  // none known here
  machine.gpus(2);
  CHECK_FALSE(machine.good({"--nproc", "3"}).workers.share_devices);
  CHECK_FALSE(machine.good({"--oversubscribe", "--nproc", "3", "--device-type", "cpu"})
                  .workers.share_devices);
  CHECK(machine.good({"--oversubscribe", "--nproc", "3"}).workers.share_devices);
  CHECK_FALSE(machine.good({"--oversubscribe", "--nproc", "2"}).workers.share_devices);
  const auto shared = machine.good({"--oversubscribe", "--nproc", "3", "--devices", "1"});
  CHECK(shared.workers.share_devices);
  CHECK(shared.workers.devices == Words{"1"});
  CHECK(machine.good({"--oversubscribe", "--nproc", "5", "--virtual-local-rank"}).workers.devices ==
        Words{"0", "1", "0", "1", "0"});
  CHECK(machine.good({"--oversubscribe", "--nproc", "3", "--virtual-local-rank", "--devices", "1"})
            .workers.devices == Words{"1", "1", "1"});
}

TEST_CASE("a longer first wait lifts the usual limit of waits") {
  const Options o = FakeMachine().good({"--backoff", "2m"});
  CHECK(o.group.restart.backoff == 2min);
  CHECK(o.group.restart.max_backoff == 2min);
}

TEST_CASE("how a group is stopped and restarted") {
  const FakeMachine machine;
  const Options o = machine.good({"--restart-on", "1,100-102,SIGKILL", "--no-restart-on", "ILL,78",
                                  "--restart-after", "ready", "--early-exit", "fail after 30s",
                                  "--linger-timeout", "250ms", "--stop-signal", "USR1",
                                  "--stop-signal-to", "group", "--graceful-exit-code", "0"});
  CHECK(o.group.restart.restart_on == std::vector<int>{1, 100, 101, 102, 137});
  CHECK(o.group.restart.no_restart_on == std::vector<int>{132, 78});
  CHECK(o.group.restart.restart_after_ready);
  CHECK(o.group.early_exit_allowed == 30s);
  CHECK(o.group.linger_timeout == 250ms);
  CHECK(o.group.stop_signal == SIGUSR1);
  CHECK(o.workers.stop_scope == StopScope::group);
  CHECK(o.group.graceful_exit_code == 0);
  CHECK(machine.good({"--restart-after", "10m"}).group.restart.restart_after == 10min);
}
