#include "launcher/workers/nccl_variables.hpp"

#include "common/env_names.hpp"

#include <string_view>

namespace ddp {
namespace {

// Entries of PyTorch's ring buffer: the default of its versions that record by default.
constexpr const char* kTraceEntries = "2000";

constexpr const char* kTraceName = "/nccl_trace_rank_";

template <class... Names>
bool any_set(const char* const* parent, Names... names) {
  return ((look_up(parent, names) != nullptr) || ...);
}

}  // namespace

void add_nccl_variables(const NcclSettings& settings, const char* const* parent, Variables& set) {
  if (!any_set(parent, env::kNcclDebug)) set.emplace_back(env::kNcclDebug, "WARN");
  if (!settings.ras_address.empty() && needs_ras_address(parent))
    set.emplace_back(env::kNcclRasAddress, settings.ras_address);
  if (!settings.records_flight) return;
  // Both names: older versions of PyTorch know the second alone.
  if (!any_set(parent, env::kFlightEntries, env::kNcclFlightEntries)) {
    set.emplace_back(env::kFlightEntries, kTraceEntries);
    set.emplace_back(env::kNcclFlightEntries, kTraceEntries);
  }
  if (!any_set(parent, env::kNcclFlightOnTimeout)) set.emplace_back(env::kNcclFlightOnTimeout, "1");
  // The old name alone, which every version reads.
  if (!settings.trace_prefix.empty() && !any_set(parent, env::kFlightFile, env::kNcclFlightFile))
    set.emplace_back(env::kNcclFlightFile, settings.trace_prefix);
  if (!any_set(parent, env::kFlightPipe, env::kNcclFlightPipe))
    set.emplace_back(env::kNcclFlightPipe, settings.trace_pipes);
}

bool needs_ras_address(const char* const* parent) {
  const char* const enabled = look_up(parent, env::kNcclRasEnable);
  return !any_set(parent, env::kNcclRasAddress) &&
         (enabled == nullptr || std::string_view(enabled) != "0");
}

std::string hang_dir(const std::string& run_dir, core::Generation generation,
                     const std::string& rank) {
  return run_dir + "/attempt_" + std::to_string(generation) + "/" + rank + "/hang";
}

std::string attempt_hang_dir(const std::string& run_dir, core::Generation generation) {
  return run_dir + "/attempt_" + std::to_string(generation) + "/hang";
}

std::string trace_prefix(const std::string& hang_dir) { return hang_dir + kTraceName; }

std::string trace_pipes(const std::string& private_dir) { return private_dir + kTraceName; }

}  // namespace ddp
