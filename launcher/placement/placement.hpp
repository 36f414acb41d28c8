// Room: launcher/placement. Which CPUs and NUMA node each rank gets.
// Includes: common, launcher/core, launcher/os, launcher/settings, launcher/workers. Included by:
// launcher, launcher/cli.
//
// place_ranks() decides, from values alone. bind.hpp collects these values: it runs ddp-topology,
// which reads the machine with hwloc, and asks the system which CPUs are allowed and where the
// devices are.
#pragma once

#include "launcher/core/place.hpp"
#include "launcher/placement/options.hpp"
#include "launcher/placement/topology.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

struct PlacementRequest {
  Binding binding = Binding::none;
  std::string name;          // the flag and its value, for messages: "--bind core"
  std::vector<int> allowed;  // the CPUs that this process may use, ascending
  // By local rank: the NUMA node of its device. nullopt where it has none, or that is not known.
  std::vector<std::optional<int>> device_nodes;
};

// A place for each of `device_nodes`. Ranks run near their devices. The others are dealt out
// evenly, in blocks in the order of the nodes (or sockets, or caches): ranks 0 and 1 on node 0, 2
// and 3 on node 1. What is allowed limits every place; a node without an allowed CPU gets no rank.
//
//   core       one physical core a rank, the first free one of its node
//   exclusive  the physical cores of a node are divided evenly among its ranks
//   l3         the CPUs of one L3 cache; ranks share one only where there are more ranks than
//   caches numa       the CPUs of one NUMA node socket     the CPUs of one socket
//
// No rank's place is empty; those of core and exclusive are disjoint. Refused where there are not
// enough cores, or no L3 cache is known.
Result<std::vector<core::Place>> place_ranks(const Topology& topology,
                                             const PlacementRequest& request);

// "0-3,8,10-11"
std::string ranges_text(const std::vector<int>& numbers);
// "CPUs 0-3, NUMA node 0"
std::string place_text(const core::Place& place);

}  // namespace ddp
