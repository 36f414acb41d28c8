#include "launcher/workers/worker_environment.hpp"

#include "common/env_names.hpp"
#include "common/join.hpp"

#include <algorithm>
#include <cassert>
#include <string_view>

namespace ddp {
namespace {

// NCCL refuses two ranks of one host on one GPU ("Duplicate GPU detected"). From 2.30 a
// variable allows it; before, ranks with different host ids count as ranks of different hosts,
// which talk over sockets. A user who has set either keeps that setting.
void share_devices(const std::string& run_id, core::GlobalRank rank, const char* const* parent,
                   Variables& set) {
  if (look_up(parent, env::kNcclMultiRankGpu) != nullptr ||
      look_up(parent, env::kNcclHostId) != nullptr)
    return;
  set.emplace_back(env::kNcclMultiRankGpu, "1");
  set.emplace_back(env::kNcclHostId, run_id + "-" + to_string(rank));
}

}  // namespace

Variables launcher_variables(const WorkerSpec& spec, const WorkerSlot& slot,
                             const char* const* parent) {
  const core::GlobalRank rank = spec.ranks.global(slot.local_rank);
  const std::string world = std::to_string(spec.ranks.world_size());
  const bool own_device = spec.options.virtual_local_rank;
  Variables set{
      {env::kRank, to_string(rank)},
      {env::kLocalRank, std::to_string(own_device ? 0 : slot.local_rank)},
      {env::kWorldSize, world},
      {env::kLocalWorldSize, std::to_string(spec.ranks.nproc)},
      {env::kGroupRank, std::to_string(spec.ranks.node_rank)},
      {env::kGroupWorldSize, std::to_string(spec.ranks.nnodes)},
      {env::kRoleName, spec.options.role},
      {env::kRoleRank, to_string(rank)},
      {env::kRoleWorldSize, world},
      {env::kMasterAddr, spec.rendezvous.master_addr},
      {env::kMasterPort, std::to_string(slot.master_port)},
      {env::kRunId, spec.rendezvous.run_id},
      {env::kRestartCount, std::to_string(slot.generation)},
      {env::kMaxRestarts, std::to_string(spec.max_restarts)},
      {env::kUseAgentStore, "False"},
      {env::kErrorFile, slot.error_file},
  };
  // A user who has set either keeps that setting: the new name would win over the old one.
  if (look_up(parent, env::kNcclAsyncErrorHandling) == nullptr &&
      look_up(parent, env::kOldNcclAsyncErrorHandling) == nullptr) {
    set.emplace_back(env::kNcclAsyncErrorHandling, "1");
    set.emplace_back(env::kOldNcclAsyncErrorHandling, "1");
  }
  add_nccl_variables(slot.nccl, parent, set);
  // A bound rank has its cores to itself or shares them evenly. Otherwise one thread each, or N
  // workers would each start a thread per core.
  const auto local_rank = static_cast<std::size_t>(slot.local_rank);
  const bool bound = local_rank < spec.places.size();
  if ((bound || spec.ranks.nproc > 1) && look_up(parent, env::kOmpNumThreads) == nullptr)
    set.emplace_back(env::kOmpNumThreads,
                     std::to_string(bound ? spec.places[local_rank].threads : 1));
  // Python buffers whole blocks when its output is no terminal: the last lines of a rank that is
  // killed would be lost, and one that prints would seem silent to --output-timeout.
  if (look_up(parent, env::kPythonUnbuffered) == nullptr)
    set.emplace_back(env::kPythonUnbuffered, "1");
  // For progress bars: a rank that writes to a pipe cannot ask for the terminal's size. tqdm reads
  // COLUMNS only where LINES is set as well.
  if (slot.columns > 0 && look_up(parent, env::kColumns) == nullptr)
    set.emplace_back(env::kColumns, std::to_string(slot.columns));
  if (slot.lines > 0 && look_up(parent, env::kLines) == nullptr)
    set.emplace_back(env::kLines, std::to_string(slot.lines));
  set.emplace_back(env::kDdpRunDir, slot.run_dir);
  set.emplace_back(env::kDdpRunId, spec.rendezvous.run_id);
  if (!slot.notify_socket.empty()) set.emplace_back(env::kNotifySocket, slot.notify_socket);
  if (slot.faults) set.emplace_back(env::kDdpFaults, *slot.faults);
  // Without WATCHDOG_PID, which is not known before the exec: then it is meant for whoever has it.
  if (const auto limit = spec.heartbeat; limit.count() > 0)
    set.emplace_back(
        env::kWatchdogUsec,
        std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(limit).count()));

  const char* const visible = visible_devices_variable(spec.options.device_type);
  if (visible != nullptr && slot.hide_devices) {
    // An index that no device has: an empty list means all of them to some runtimes.
    set.emplace_back(visible, "-1");
  } else if (visible != nullptr && !spec.options.devices.empty()) {
    if (own_device) {
      assert(static_cast<std::size_t>(slot.local_rank) < spec.options.devices.size());
      set.emplace_back(visible, spec.options.devices[static_cast<std::size_t>(slot.local_rank)]);
    } else {
      set.emplace_back(visible, joined(spec.options.devices));
    }
  }
  if (spec.options.share_devices) share_devices(spec.rendezvous.run_id, rank, parent, set);
  return set;
}

std::vector<std::string> worker_environment(const WorkerSpec& spec, const WorkerSlot& slot,
                                            const char* const* parent) {
  const Variables set = launcher_variables(spec, slot, parent);
  // A launcher started by a service manager or another launcher does not pass on what was addressed
  // to itself.
  std::vector<std::string_view> names{env::kNotifySocket, env::kWatchdogUsec, env::kWatchdogPid,
                                      env::kDdpFaults, env::kCampaignEvents};
  for (const auto& [name, value] : set) names.push_back(name);
  std::sort(names.begin(), names.end());

  std::vector<std::string> environment;
  for (; *parent != nullptr; ++parent) {
    const std::string_view entry = *parent;
    if (!std::binary_search(names.begin(), names.end(), entry.substr(0, entry.find('='))))
      environment.emplace_back(entry);
  }
  for (const auto& [name, value] : set) {
    std::string& entry = environment.emplace_back();
    entry.reserve(name.size() + 1 + value.size());
    entry.append(name).append(1, '=').append(value);
  }
  return environment;
}

}  // namespace ddp
