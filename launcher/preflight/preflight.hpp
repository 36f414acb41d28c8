// Room: launcher/preflight. Whether this machine has what a launch needs: checked before anything
// is started.
// Includes: common, launcher/base, launcher/core, launcher/core/group, launcher/os,
// launcher/settings, launcher/workers. Included by: launcher, launcher/cli, launcher/supervisor.
//
// judge() decides, from values alone; read_facts.hpp collects these values. A fact that was not
// read is absent, and nothing is found about it.
#pragma once

#include "launcher/core/finding.hpp"
#include "launcher/os/interfaces.hpp"
#include "launcher/os/space.hpp"
#include "launcher/preflight/device_report.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

// A directory that the run writes to.
struct DiskFact {
  std::string what;  // "log directory"
  std::string path;  // where it is, or the nearest directory above that exists
  std::optional<os::Space> space;
  bool writable = true;
};

// A variable that names network interfaces: NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME.
struct InterfaceChoice {
  std::string variable;
  std::string value;
};

struct Rendezvous {
  std::string place;                  // "node0:29500"
  std::string refused;                // why no launch can meet there; empty: one can
  std::vector<std::string> warnings;  // what may be wrong
};

// Who uses the devices of this launch.
struct DeviceUse {
  DeviceReport report;
  std::map<int, std::string> commands;  // of their processes, as far as they are visible here
  std::string unreadable;               // why there is no report; empty: there is
};

struct PreflightFacts {
  int nproc = 1;
  bool python = false;  // the program is Python
  std::string device_type = "cuda";
  int devices = 0;             // of that type
  bool share_devices = false;  // --oversubscribe
  std::optional<os::Space> shared_memory;
  bool no_shared_memory = false;  // there is no /dev/shm
  // Limits of a process; a large number stands for "unlimited" (RLIM_INFINITY).
  std::optional<std::uint64_t> open_files;       // of each rank
  std::optional<std::uint64_t> most_open_files;  // of the launcher
  std::optional<std::uint64_t> locked_memory;    // bytes
  std::optional<std::uint64_t> core_size;        // bytes
  bool rdma = false;                             // the machine has an RDMA device
  std::vector<DiskFact> disks;
  std::vector<InterfaceChoice> choices;
  std::vector<os::Interface> interfaces;
  int cpus = 0;  // allowed; 0: not read
  std::optional<double> cpu_quota;
  std::optional<int> threads;  // OMP_NUM_THREADS as it is given; none: not given
  bool bound = false;          // --bind has chosen each rank's CPUs and threads
  std::optional<os::MemoryLimit> memory_limit;
  std::optional<std::uint64_t> memory_available;
  std::optional<Rendezvous> rendezvous;
  std::optional<DeviceUse> device_use;
};

// In a fixed order.
std::vector<core::Finding> judge(const PreflightFacts& facts);

// Whether `name` is chosen by a NCCL_SOCKET_IFNAME ("eth,ib": prefixes; "=eth0": exact; "^docker":
// all but).
bool nccl_chooses(const std::string& value, const std::string& name);

}  // namespace ddp
