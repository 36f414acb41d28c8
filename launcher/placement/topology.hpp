// The CPUs, NUMA nodes and PCI devices of a machine, as ddp-topology reports them.
//
// The text form has one line an object, after a first line that names the format:
//   ddp-topology 1 here                (or "elsewhere": hwloc was given another machine)
//   cpu <number> core <n> cache <n> node <n> package <n>
//   pci <domain:bus:device.function> node <n>
// A number that is not known is -1.
#pragma once

#include "common/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ddp {

struct Cpu {
  int number = 0;   // as in sched_setaffinity
  int core = -1;    // the physical core; CPUs of one core are hardware threads
  int cache = -1;   // the L3 cache
  int node = -1;    // the NUMA node, as in set_mempolicy; the first where there are several
  int package = 0;  // the socket
};

struct PciDevice {
  std::string address;  // 0000:3b:00.0
  int node = -1;        // the nearest NUMA node; -1: as near to each, or not known
};

struct Topology {
  std::vector<Cpu> cpus;
  std::vector<PciDevice> devices;  // GPUs and other accelerators
  bool here = true;                // of this machine, not of HWLOC_SYNTHETIC or HWLOC_XMLFILE
};

std::string topology_text(const Topology& topology);
// Refuses any text that topology_text() does not write.
Result<Topology> parse_topology(std::string_view text);

}  // namespace ddp
