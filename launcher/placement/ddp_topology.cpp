// ddp-topology: prints this machine's CPUs, NUMA nodes, caches and GPUs, one a line
// (launcher/placement/topology.hpp).
//
// A separate program because hwloc needs libudev, of which Debian has no static library, and
// ddp-launch is linked statically. ddp-launch runs it only where ranks are bound.
#include "launcher/placement/hwloc_topology.hpp"

#include <cstdio>

int main() {
  const auto topology = ddp::read_topology();
  if (!topology) {
    std::fprintf(stderr, "ddp-topology: %s\n", topology.error().c_str());
    return 1;
  }
  const std::string text = ddp::topology_text(*topology);
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? 0 : 1;
}
