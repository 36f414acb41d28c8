// What the workers of a launch are: their program and devices, how they are stopped and restarted.
#pragma once

#include "common/get_env.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/shared_memory.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"
#include "launcher/workers/device_type.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ddp {

// --stop-signal-to: which processes of a rank get a stop signal.
enum class StopScope {
  rank,   // those that launcher/core/group/stop_scope.hpp selects
  group,  // the process group of the rank's first process, at once
};

struct WorkerOptions {
  std::vector<std::string> command;  // program and its arguments
  std::string role = "default";      // ROLE_NAME
  DeviceType device_type = DeviceType::cuda;
  // The value of the visible-devices variable: as --devices says, by the system's own indices;
  // empty: leave the environment's choice. Under virtual_local_rank one a rank, unless the type is
  // cpu.
  std::vector<std::string> devices;
  int visible_devices = 0;  // of the type, that ranks may use
  bool virtual_local_rank = false;
  bool share_devices = false;     // --oversubscribe, and not known to have a device for each rank
  std::optional<int> stdin_rank;  // local rank that gets the launcher's stdin
  StopScope stop_scope = StopScope::rank;
  core::CleanSharedMemory clean_shm = core::CleanSharedMemory::generated;
};

// What the number of workers and their devices depend on, next to the flags.
struct Hardware {
  GetEnv get_env;
  std::string root = "/";  // where /dev, /proc and /sys are
  int cpus = 1;
};

// "Workers" in --help: `ranks`.nproc and the devices of `options`; its command is there already.
std::span<const FlagSpec> worker_flags();
Failure read_workers(const SettingsReader& reader, const Hardware& hardware, core::RankGroup& ranks,
                     WorkerOptions& options);
// --stdin, once the rest of `ranks` is known.
Failure read_stdin(const SettingsReader& reader, const core::RankGroup& ranks,
                   WorkerOptions& options);

// The section of --help of the next two.
inline constexpr std::string_view kFailureSection = "Failure and shutdown";
// Whether and when a failed group is restarted.
std::span<const FlagSpec> restart_flags();
Failure read_restarts(const SettingsReader& reader, core::RestartPolicy& policy);

// How a group is stopped, and how long that may take.
std::span<const FlagSpec> shutdown_flags();
Failure read_shutdown(const SettingsReader& reader, core::GroupConfig& group,
                      WorkerOptions& options);

}  // namespace ddp
