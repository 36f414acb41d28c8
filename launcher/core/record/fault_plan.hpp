// A fault plan: its faults, what is expected of the run, and how a campaign launches it.
#pragma once

#include "common/faults/spec.hpp"
#include "launcher/core/record/expectations.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

// How a campaign starts the run of this plan; "{dir}" in a word is the program's own directory.
struct PlanLaunch {
  std::vector<std::string> options;  // of ddp-launch
  std::vector<std::string> command;  // empty: the campaign's
  Nanoseconds timeout = std::chrono::minutes(5);
};

struct FaultPlan {
  std::string name;
  std::vector<fault::Spec> faults;
  std::uint64_t seed = 0;
  std::optional<Expectations> expect;
  PlanLaunch launch;
};

}  // namespace ddp::core
