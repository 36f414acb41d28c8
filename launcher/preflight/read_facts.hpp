// Collects what judge() decides from.
#pragma once

#include "common/get_env.hpp"
#include "launcher/preflight/preflight.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

// What the launch is, as far as the checks depend on it.
struct PreflightRequest {
  int nproc = 1;
  std::vector<std::string> command;
  std::string device_type;
  int devices = 0;
  bool share_devices = false;
  // Of the launch, as its visible-devices variable has them; empty: the first ones.
  std::vector<std::string> chosen;
  bool bound = false;
  std::string log_dir;  // empty: none
  GetEnv get_env;
  std::string root = "/";
};

// Facts that cost some microseconds; what is long to find out stays absent. For every launch.
PreflightFacts read_quick_facts(const PreflightRequest& request);

// All facts, but `rendezvous`. Runs ddp-devices, for at most 10 s, where there are NVIDIA devices.
// `program` is its path; empty: next to this program.
PreflightFacts read_facts(const PreflightRequest& request, const std::string& program = "");

}  // namespace ddp
