// What the workers of a launch are: their program, their devices, and how they are stopped.
#pragma once

#include "launcher/core/processes/shared_memory.hpp"
#include "launcher/workers/device_type.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

// --stop-signal-to: which processes of a rank get a stop signal.
enum class StopScope {
  rank,   // those that launcher/core/processes/stop_scope.hpp selects
  group,  // the process group of the rank's first process, at once
};

struct WorkerOptions {
  std::vector<std::string> command;  // program and its arguments
  DeviceType device_type = DeviceType::cuda;
  // The value of the visible-devices variable: as --devices says, by the system's own indices;
  // empty: leave the environment's choice. Under virtual_local_rank one a rank, unless the type is
  // cpu.
  std::vector<std::string> devices;
  bool virtual_local_rank = false;
  bool share_devices = false;     // --oversubscribe, and not known to have a device for each rank
  std::optional<int> stdin_rank;  // local rank that gets the launcher's stdin
  StopScope stop_scope = StopScope::rank;
  core::CleanSharedMemory clean_shm = core::CleanSharedMemory::generated;
};

}  // namespace ddp
