// The topology of this machine, read with hwloc. Linked into ddp-topology and into tests, not into
// ddp-launch.
#pragma once

#include "launcher/placement/topology.hpp"

namespace ddp {

// Of this machine without the CPUs and NUMA nodes that its cgroup forbids; with `synthetic` of the
// machine that hwloc makes from such a description ("pack:2 numa:2 l3:1 core:8 pu:2"). hwloc reads
// HWLOC_SYNTHETIC and HWLOC_XMLFILE as well.
Result<Topology> read_topology(const char* synthetic = nullptr);

}  // namespace ddp
