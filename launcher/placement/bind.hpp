// Finds a place for each rank of a launch, before anything is started.
#pragma once

#include "common/get_env.hpp"
#include "launcher/core/place.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/placement/options.hpp"
#include "launcher/workers/options.hpp"

#include <string>
#include <variant>
#include <vector>

namespace ddp {

struct BindRequest {
  const PlacementOptions& options;
  const core::RankGroup& ranks;
  const WorkerOptions& workers;
  GetEnv get_env;
  std::string root = "/";     // where /dev, /proc and /sys are
  std::string topology = "";  // the path of ddp-topology; empty: next to this program
  bool dry_run = false;       // a machine that hwloc was given in this one's place is good enough
};

struct Bound {
  std::vector<core::Place> places;    // by local rank; empty: not bound
  std::string report;                 // for --report-bindings: a line for each rank
  std::vector<std::string> warnings;  // of what the system does not allow
};

// Runs ddp-topology if a binding is asked for; without one it costs nothing. Refused with exit code
// 2 where this machine or the allowed CPUs cannot give what was asked, with 71 where the machine
// cannot be read, with 128 + signal where a stop request comes first: a rank that is not bound is
// not started.
std::variant<Bound, ExitNow> bind_ranks(const BindRequest& request);

}  // namespace ddp
