// The facts of this machine, and those of ddp-devices with a double of the driver's library.
#include "launcher/preflight/read_facts.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>

using namespace ddp;
using test::make_temp_dir;
using test::write_file;
using test::write_script;

namespace {

struct Environment {
  std::map<std::string, std::string> values;
  GetEnv get() const {
    return [this](const char* name) -> const char* {
      const auto it = values.find(name);
      return it == values.end() ? nullptr : it->second.c_str();
    };
  }
};

PreflightRequest request(const Environment& environment) {
  return {.nproc = 2,
          .command = {"/usr/bin/python3", "train.py"},
          .device_type = "cuda",
          .get_env = environment.get()};
}

// For ddp-devices, which inherits them.
class WithDriver {
 public:
  explicit WithDriver(const std::string& devices) {
    write_file(file_, devices);
    ::setenv("LD_LIBRARY_PATH", DDP_FAKE_NVML_DIR, 1);
    ::setenv("DDP_FAKE_NVML", file_.c_str(), 1);
  }
  ~WithDriver() {
    ::unsetenv("LD_LIBRARY_PATH");
    ::unsetenv("DDP_FAKE_NVML");
  }

 private:
  std::filesystem::path file_ = make_temp_dir() / "devices";
};

DeviceUse use_of(PreflightRequest request, const std::string& program = DDP_DEVICES) {
  request.devices = 2;
  auto facts = read_facts(request, program);
  REQUIRE(facts.device_use);
  return std::move(*facts.device_use);
}

}  // namespace

TEST_CASE("what a launch reads is little, and what --preflight reads is all") {
  const Environment environment;
  const auto quick = read_quick_facts(request(environment));
  CHECK(quick.python);
  CHECK((quick.shared_memory || quick.no_shared_memory));
  CHECK(quick.locked_memory);
  CHECK(quick.cpus == 0);
  CHECK(quick.interfaces.empty());
  CHECK(quick.disks.empty());
  CHECK_FALSE(quick.memory_limit);
  const auto all = read_facts(request(environment));
  CHECK(all.open_files);
  CHECK(all.core_size);
  CHECK(all.cpus > 0);
  CHECK(all.memory_available);
  CHECK_FALSE(all.device_use);  // no devices: ddp-devices is not run
}

TEST_CASE("the environment and the command say more") {
  const auto directory = make_temp_dir();
  Environment environment{
      {{"NCCL_SOCKET_IFNAME", "eth0"}, {"GLOO_SOCKET_IFNAME", ""}, {"OMP_NUM_THREADS", "6,2"}}};
  auto asked = request(environment);
  asked.log_dir = (directory / "logs/deep").string();
  asked.command = {"/opt/trainer", "--output_dir=" + (directory / "out").string()};
  const auto facts = read_facts(asked);
  CHECK_FALSE(facts.python);
  REQUIRE(facts.choices.size() == 1);
  CHECK(facts.choices[0].variable == "NCCL_SOCKET_IFNAME");
  CHECK(facts.threads == 6);
  REQUIRE(facts.disks.size() == 2);
  CHECK(facts.disks[0].path == directory.string());
  CHECK(facts.disks[0].writable);
  CHECK(facts.disks[0].space);
  CHECK(facts.disks[1].what == "checkpoints");
  CHECK(facts.disks[1].path == directory.string());
  environment.values["OMP_NUM_THREADS"] = "many";
  CHECK_FALSE(read_facts(asked).threads);
}

TEST_CASE("the processes that hold memory of this launch's devices are named") {
  const std::string own = std::to_string(::getpid());
  const WithDriver driver("device GPU-aaa 900 1000 process " + own +
                          " 500 process 2147483000 18446744073709551615\n"
                          "device GPU-bbb 5 1000\n"
                          "device GPU-ccc 5 1000 process 99 1\n");
  const Environment environment;
  const auto use = use_of(request(environment));
  CHECK(use.unreadable == "");
  REQUIRE(use.report.size() == 2);  // of two ranks
  CHECK(use.report[0].used == 900);
  REQUIRE(use.report[0].users.size() == 2);
  CHECK(use.report[0].users[0].bytes == 500);
  CHECK(use.report[0].users[1].bytes == 0);  // not known
  CHECK(use.commands.size() == 1);
  CHECK(use.commands.count(::getpid()) == 1);
  CHECK(use.report[1].users.empty());

  auto chosen = request(environment);
  chosen.chosen = {"2", "GPU-bb"};
  const auto others = use_of(chosen);
  REQUIRE(others.report.size() == 2);
  CHECK(others.report[0].uuid == "GPU-bbb");
  CHECK(others.report[1].uuid == "GPU-ccc");
}

TEST_CASE("more processes than the first question has room for") {
  std::string devices = "device GPU-aaa 900 1000";
  for (int pid = 1000; pid < 1100; ++pid) devices += " process " + std::to_string(pid) + " 1";
  const WithDriver driver(devices);
  const auto use = use_of(request({}));
  REQUIRE(use.report.size() == 1);
  CHECK(use.report[0].users.size() == 100);
}

TEST_CASE("without the driver's library, or with one that refuses, the use is not known") {
  ::unsetenv("LD_LIBRARY_PATH");
  const auto none = use_of(request({}));
  // Where this machine has one, it answers.
  if (!none.unreadable.empty()) CHECK(none.unreadable.starts_with("libnvidia-ml.so.1: "));
  const WithDriver driver("refuse 9\n");
  CHECK(use_of(request({})).unreadable == "nvmlInit_v2: Driver Not Loaded");
}

TEST_CASE("a ddp-devices that is missing, fails or prints something else") {
  const auto directory = make_temp_dir();
  const std::string script = (directory / "ddp-devices").string();
  CHECK(use_of(request({}), script).unreadable ==
        "cannot run " + script + ": No such file or directory");
  write_script(script, "#!/bin/sh\nexit 3\n");
  CHECK(use_of(request({}), script).unreadable == "ddp-devices failed");
  write_script(script, "#!/bin/sh\necho hello\n");
  CHECK(use_of(request({}), script).unreadable ==
        "ddp-devices printed 'hello', which this ddp-launch does not read");
}
