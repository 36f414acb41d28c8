#include "launcher/preflight/preflight.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>

using namespace ddp;
using core::Finding;
using Level = Finding::Level;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// A machine with everything that four ranks of PyTorch want.
PreflightFacts good() {
  PreflightFacts facts;
  facts.nproc = 4;
  facts.python = true;
  facts.devices = 4;
  facts.shared_memory = os::Space{16 * kGiB, 16 * kGiB};
  facts.open_files = 4096;
  facts.most_open_files = 4096;
  facts.locked_memory = RLIM_INFINITY;
  facts.core_size = 0;
  facts.rdma = true;
  facts.disks = {{"log directory", "/logs", os::Space{100 * kGiB, 50 * kGiB}, true}};
  facts.choices = {{"NCCL_SOCKET_IFNAME", "eth"}, {"GLOO_SOCKET_IFNAME", "eth0"}};
  facts.interfaces = {{"lo", true}, {"eth0", true}, {"eth1", false}};
  facts.cpus = 8;
  facts.threads = 2;
  facts.memory_limit = os::MemoryLimit{64 * kGiB, kGiB};
  facts.rendezvous = Rendezvous{"127.0.0.1", "", {}};
  facts.device_use = DeviceUse{};
  return facts;
}

// The one finding about `check` after `change`.
Finding found(const std::string& check, const std::function<void(PreflightFacts&)>& change) {
  PreflightFacts facts = good();
  change(facts);
  const auto findings = judge(facts);
  const auto one = std::find_if(findings.begin(), findings.end(),
                                [&](const Finding& finding) { return finding.check == check; });
  REQUIRE_MESSAGE(one != findings.end(), "nothing about " << check);
  return *one;
}

struct Case {
  const char* check;
  std::function<void(PreflightFacts&)> change;
  Level level;
  bool certain;  // a launch warns of it
  const char* found;
};

}  // namespace

TEST_CASE("a good machine has a row for each check, and nothing to say") {
  const auto findings = judge(good());
  CHECK(findings.size() == 12);
  for (const auto& finding : findings) {
    CAPTURE(finding.check);
    CHECK(finding.level == Level::ok);
    CHECK_FALSE(finding.certain);
    CHECK(finding.fix == "");
    CHECK(finding.found != "");
    CHECK(finding.wanted != "");
  }
}

TEST_CASE("facts that were not read give no findings") {
  PreflightFacts facts;
  facts.device_type = "cpu";
  CHECK(judge(facts).empty());
}

TEST_CASE("each shortage is found, and what is enough is not") {
  using F = PreflightFacts;
  const auto shm = [](std::uint64_t mib) {
    return [mib](F& f) { f.shared_memory = os::Space{mib * kMiB, mib * kMiB}; };
  };
  const Case cases[] = {
      // A container's 64 MiB, for four ranks.
      {"shared memory", shm(64), Level::warn, true, "64 MiB free in /dev/shm"},
      {"shared memory", shm(128), Level::warn, false, "128 MiB free in /dev/shm"},
      {"shared memory", shm(1023), Level::warn, false, "1023 MiB free in /dev/shm"},
      {"shared memory", shm(1024), Level::ok, false, "1 GiB free in /dev/shm"},
      {"shared memory",
       [](F& f) {
         f.shared_memory = os::Space{64 * kMiB, 64 * kMiB};
         f.python = false;
       },
       Level::warn, true, "64 MiB free in /dev/shm"},  // NCCL
      {"shared memory",
       [](F& f) {
         f.shared_memory = os::Space{64 * kMiB, 64 * kMiB};
         f.python = false;
         f.devices = 0;
       },
       Level::ok, false, "64 MiB free in /dev/shm"},
      {"shared memory",
       [](F& f) {
         f.shared_memory = os::Space{64 * kMiB, 64 * kMiB};
         f.nproc = 2;
       },
       Level::warn, false, "64 MiB free in /dev/shm"},
      {"shared memory",
       [](F& f) {
         f.shared_memory.reset();
         f.no_shared_memory = true;
       },
       Level::warn, true, "no /dev/shm"},

      {"open files", [](F& f) { f.open_files = 256; }, Level::warn, false, "256 for each rank"},
      {"open files", [](F& f) { f.open_files = 1024; }, Level::ok, false, "1024 for each rank"},
      {"open files", [](F& f) { f.most_open_files = 51; }, Level::refuse, false,
       "51 for the launcher"},
      {"open files", [](F& f) { f.most_open_files = 52; }, Level::ok, false, "4096 for each rank"},
      {"open files", [](F& f) { f.open_files = RLIM_INFINITY; }, Level::ok, false,
       "unlimited for each rank"},

      {"locked memory", [](F& f) { f.locked_memory = 8 * kMiB; }, Level::warn, true, "8 MiB"},
      {"locked memory",
       [](F& f) {
         f.locked_memory = 8 * kMiB;
         f.devices = 0;
       },
       Level::warn, false, "8 MiB"},
      {"locked memory",
       [](F& f) {
         f.locked_memory = 8 * kMiB;
         f.rdma = false;
       },
       Level::ok, false, "8 MiB"},
      {"core files", [](F& f) { f.core_size = RLIM_INFINITY; }, Level::ok, false,
       "up to unlimited"},

      {"log directory", [](F& f) { f.disks[0].space->available = 0; }, Level::refuse, true,
       "0 bytes free at /logs"},
      {"log directory", [](F& f) { f.disks[0].space->available = kMiB; }, Level::warn, false,
       "1 MiB free at /logs"},
      {"log directory", [](F& f) { f.disks[0].space->available = kGiB; }, Level::ok, false,
       "1 GiB free at /logs"},
      {"log directory", [](F& f) { f.disks[0].writable = false; }, Level::refuse, true,
       "/logs is not writable"},

      {"rendezvous", [](F& f) { f.rendezvous->refused = "the port is in use"; }, Level::refuse,
       false, "127.0.0.1"},
      {"rendezvous", [](F& f) { f.rendezvous->warnings = {"no address of this machine"}; },
       Level::warn, false, "127.0.0.1"},

      {"NCCL_SOCKET_IFNAME", [](F& f) { f.choices[0].value = "ib0"; }, Level::refuse, true,
       "'ib0': there is no such interface"},
      {"NCCL_SOCKET_IFNAME",
       [](F& f) {
         f.choices[0].value = "ib0";
         f.devices = 0;
       },
       Level::warn, false, "'ib0': there is no such interface"},
      {"GLOO_SOCKET_IFNAME", [](F& f) { f.choices[1].value = "eth1"; }, Level::refuse, true,
       "'eth1': is not up"},
      {"GLOO_SOCKET_IFNAME", [](F& f) { f.choices[1].value = "eth"; }, Level::refuse, true,
       "'eth': there is no such interface"},  // Gloo takes whole names

      {"CPUs", [](F& f) { f.cpus = 7; }, Level::warn, false, "7 CPUs"},
      {"CPUs", [](F& f) { f.threads = 33; }, Level::warn, true, "8 CPUs"},
      {"CPUs", [](F& f) { f.threads = 32; }, Level::warn, false, "8 CPUs"},
      {"CPUs", [](F& f) { f.cpu_quota = 1.5; }, Level::warn, false,
       "8 CPUs, of which a cgroup allows 1.5"},
      {"CPUs",
       [](F& f) {
         f.nproc = 200;  // and one thread each: a test's launch, not a mistake
         f.threads.reset();
         f.cpus = 2;
       },
       Level::warn, false, "2 CPUs"},
      {"CPUs",
       [](F& f) {
         f.nproc = 1;
         f.threads.reset();
         f.cpus = 1;
       },
       Level::ok, false, "1 CPU"},
      {"CPUs",
       [](F& f) {
         f.bound = true;
         f.cpus = 2;
       },
       Level::ok, false, "2 CPUs"},

      {"memory",
       [](F& f) {
         f.memory_limit = os::MemoryLimit{3 * kGiB, 2 * kGiB};
       },
       Level::warn, false, "1 GiB left of the cgroup's 3 GiB"},
      {"memory",
       [](F& f) {
         f.memory_limit.reset();
         f.memory_available = kGiB;
       },
       Level::warn, false, "1 GiB available, no cgroup limit"},

      {"devices", [](F& f) { f.devices = 3; }, Level::warn, false, "3 of type cuda"},
      {"devices",
       [](F& f) {
         f.devices = 3;
         f.share_devices = true;
       },
       Level::ok, false, "3 of type cuda"},
      {"devices", [](F& f) { f.devices = 0; }, Level::ok, false, "no cuda device"},

      {"use of devices",
       [](F& f) {
         f.device_use->report = {{0, "GPU-a", 2 * kGiB, 80 * kGiB, {{77, kGiB}}}};
         f.device_use->commands = {{77, "python3"}};
       },
       Level::warn, false, "device 0: python3 (pid 77, 1 GiB)"},
      {"use of devices",
       [](F& f) {
         f.device_use->report = {{1, "GPU-a", 0, 1, {{78, 0}}}};
       },
       Level::warn, false, "device 1: a process not visible here (pid 78)"},
      {"use of devices", [](F& f) { f.device_use->unreadable = "no library"; }, Level::warn, false,
       "not known: no library"},
  };
  for (const auto& one : cases) {
    const Finding finding = found(one.check, one.change);
    CAPTURE(one.check);
    CAPTURE(finding.found);
    CHECK(finding.found == one.found);
    CHECK(finding.level == one.level);
    CHECK(finding.certain == one.certain);
    CHECK((finding.fix == "") == (one.level == Level::ok));
  }
}

TEST_CASE("NCCL_SOCKET_IFNAME is read as NCCL reads it") {
  CHECK(nccl_chooses("eth", "eth0"));
  CHECK(nccl_chooses("ib,eth", "eth0"));
  CHECK_FALSE(nccl_chooses("ib", "eth0"));
  CHECK(nccl_chooses("=eth0", "eth0"));
  CHECK_FALSE(nccl_chooses("=eth", "eth0"));
  CHECK(nccl_chooses("^docker,lo", "eth0"));
  CHECK_FALSE(nccl_chooses("^docker,lo", "docker0"));
  CHECK(nccl_chooses("^=eth", "eth0"));
  CHECK_FALSE(nccl_chooses("^=eth0", "eth0"));
}
