// --dry-run: the environment and command of each rank, without starting it.
#include "common/env_names.hpp"
#include "launcher/base/shell_word.hpp"
#include "launcher/base/table.hpp"
#include "launcher/cli/options.hpp"
#include "launcher/core/faults/engine.hpp"
#include "launcher/placement/placement.hpp"
#include "launcher/report/fault_preview.hpp"
#include "launcher/workers/device_list.hpp"
#include "launcher/workers/error_files.hpp"
#include "launcher/workers/ras_address.hpp"
#include "launcher/workers/worker_environment.hpp"

#include <algorithm>

namespace ddp {
namespace {

// Placeholders for values that only a real launch has.
constexpr const char* kRunDirectory = "<run directory>";
constexpr const char* kFreshPort = "<a fresh port each attempt>";
constexpr const char* kLaunchPort = "<a port of the launch>";

using Row = std::vector<std::string>;

// The device that LOCAL_RANK selects, as far as it is known here.
std::string device_of(const Options& options, std::size_t local_rank, const char* const* parent) {
  const char* const variable = visible_devices_variable(options.workers.device_type);
  if (variable == nullptr) return "cpu";
  std::vector<std::string> devices = options.workers.devices;
  if (const char* const value = look_up(parent, variable); devices.empty() && value != nullptr)
    devices = read_visible_devices(value);
  if (options.workers.share_devices && !devices.empty()) local_rank %= devices.size();
  return local_rank < devices.size() ? devices[local_rank] : "-";
}

Variables variables_of(const Options& options, core::LocalRank local_rank,
                       const char* const* parent) {
  const std::string run_dir = options.output.log_dir.empty()
                                  ? std::string(kRunDirectory)
                                  : options.output.log_dir + "/" + options.rendezvous.run_id;
  const bool keeps_files = !options.output.log_dir.empty() || options.output.needs_log_dir;
  const std::string rank_name = std::to_string(local_rank);
  const WorkerSpec spec = worker_spec(options);
  WorkerSlot slot{
      .local_rank = local_rank,
      .master_port = options.rendezvous.master_port.value_or(0),
      .run_dir = run_dir,
      .notify_socket = std::string(kRunDirectory) + "/notify." + rank_name,
      .error_file = error_file_path(run_dir, keeps_files, 0, local_rank),
      .nccl = {.ras_address = ras_address_text(kLaunchPort),
               .records_flight = spec.may_hang,
               .trace_prefix = keeps_files ? trace_prefix(hang_dir(run_dir, 0, rank_name)) : "",
               .trace_pipes = trace_pipes(kRunDirectory)}};
  if (!options.faults.plan.faults.empty()) {
    core::FaultEngine engine(options.faults.plan.faults, options.faults.plan.seed, options.ranks);
    engine.step(core::GenerationBegan{}, {});
    slot.faults = engine.worker_faults(local_rank);
  }
  Variables variables = launcher_variables(spec, slot, parent);
  for (auto& [name, value] : variables) {
    if (name == env::kMasterPort && !options.rendezvous.master_port) value = kFreshPort;
  }
  return variables;
}

void append_table(std::string& out, const std::vector<Row>& rows) {
  for (const auto& line : aligned_rows(rows)) out += "  " + line + "\n";
}

}  // namespace

std::string dry_run_table(const Options& options, const char* const* parent) {
  std::vector<Variables> ranks;
  for (int rank = 0; rank < options.ranks.nproc; ++rank)
    ranks.push_back(variables_of(options, rank, parent));

  // Every rank gets the same names in the same order: a column for each value that differs between
  // ranks, a line for each that does not.
  const std::size_t count = ranks.front().size();
  std::vector<std::size_t> differing;
  std::vector<std::size_t> same;
  for (std::size_t i = 0; i < count; ++i) {
    const bool column = ranks.front()[i].first == env::kRank ||
                        ranks.front()[i].first == env::kLocalRank ||
                        std::any_of(ranks.begin(), ranks.end(), [&](const Variables& rank) {
                          return rank[i].second != ranks.front()[i].second;
                        });
    (column ? differing : same).push_back(i);
  }

  std::string out =
      "run " + options.rendezvous.run_id + ": " + std::to_string(options.ranks.nproc) +
      (options.ranks.nproc == 1 ? " worker" : " workers") + " on node " +
      std::to_string(options.ranks.node_rank) + " of " + std::to_string(options.ranks.nnodes) +
      ", world size " + std::to_string(options.ranks.world_size()) + "; nothing is started\n\n";
  std::vector<Row> table(1, Row{"device"});
  if (!options.places.empty()) table[0].insert(table[0].end(), {"CPUs", "NUMA node"});
  for (const std::size_t i : differing) table[0].emplace_back(ranks.front()[i].first);
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    Row row{device_of(options, rank, parent)};
    if (!options.places.empty()) {
      const core::Place& place = options.places[rank];
      row.insert(row.end(), {ranges_text(place.cpus), ranges_text(place.nodes)});
    }
    for (const std::size_t i : differing) row.push_back(ranks[rank][i].second);
    table.push_back(std::move(row));
  }
  const int before_rank = options.places.empty() ? 1 : 3;
  for (Row& row : table)  // RANK first
    std::rotate(row.begin(), row.begin() + before_rank, row.begin() + before_rank + 1);
  append_table(out, table);

  out +=
      options.ranks.nproc == 1 ? "\nenvironment of the rank:\n" : "\nenvironment of every rank:\n";
  std::vector<Row> shared;
  for (const std::size_t i : same)
    shared.push_back({std::string(ranks.front()[i].first), ranks.front()[i].second});
  append_table(out, shared);

  std::vector<Row> settings;
  for (const auto& [flag, setting] : options.given) {
    if (flag != "--dry-run")
      settings.push_back({std::string(flag), shell_word(setting.text), setting.source});
  }
  if (!settings.empty()) out += "\nsettings, and where they come from:\n";
  append_table(out, settings);

  out += "\ncommand:\n ";
  for (const std::string& word : options.workers.command) out += " " + shell_word(word);
  return out + "\n" + faults_preview(options.faults.plan, options.ranks.world_size());
}

}  // namespace ddp
