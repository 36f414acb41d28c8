// Where a rank runs.
#pragma once

#include <vector>

namespace ddp::core {

struct Place {
  std::vector<int> cpus;   // the CPUs that the rank may use, ascending
  std::vector<int> nodes;  // the NUMA nodes of these CPUs, ascending; empty: not known
  int threads = 1;         // the rank's share of the physical cores of these CPUs
};

}  // namespace ddp::core
