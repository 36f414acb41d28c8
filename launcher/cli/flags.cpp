#include "launcher/cli/flags.hpp"

#include "launcher/base/edit_distance.hpp"
#include "launcher/diagnosis/options.hpp"
#include "launcher/faults/options.hpp"
#include "launcher/hangs/options.hpp"
#include "launcher/metrics/options.hpp"
#include "launcher/output/options.hpp"
#include "launcher/placement/options.hpp"
#include "launcher/preflight/options.hpp"
#include "launcher/preload/options.hpp"
#include "launcher/program/program.hpp"
#include "launcher/rendezvous/options.hpp"
#include "launcher/report/options.hpp"
#include "launcher/torchrun/options.hpp"
#include "launcher/workers/options.hpp"

#include <algorithm>
#include <vector>

namespace ddp {
namespace {

constexpr std::string_view kFaults = "Faults";
constexpr std::string_view kAbout = "ddp-launch itself";

constexpr FlagSpec kCampaign[] = {
    {"--campaign", "DIR", ValueKind::shell_only, "", kFaults,
     "run each plan of this directory (*.toml), one after another, and report which were met; "
     "other flags and the program apply to every run (docs/ci.md)"},
};

constexpr FlagSpec kOwn[] = {
    {"--log-level", "LEVEL", ValueKind::text, "warn", kAbout,
     "how much ddp-launch logs: trace, debug, info, warn, error or off; also DDP_LAUNCH_LOG"},
    {"--config", "FILE", ValueKind::shell_only, "", kAbout,
     "read flags and the command from a TOML file; the command line wins"},
    {"--dry-run", "", ValueKind::toggle, "off", kAbout,
     "show each rank's device, environment and command, and start nothing"},
    {"--version", "", ValueKind::shell_only, "", kAbout, "show the version"},
    {"--help,-h", "", ValueKind::shell_only, "", kAbout, "show this help"},
};

// In the order of --help.
std::vector<FlagSpec> joined_table() {
  std::vector<FlagSpec> table;
  const std::span<const FlagSpec> parts[] = {
      worker_flags(),     program_flags(),   placement_flags(), preload_flags(),
      rendezvous_flags(), preflight_flags(), restart_flags(),   shutdown_flags(),
      hang_flags(),       output_flags(),    diagnosis_flags(), metrics::flags(),
      fault_flags(),      report_flags(),    kCampaign,         kOwn,
      torchrun_flags()};
  for (const auto part : parts) table.insert(table.end(), part.begin(), part.end());
  return table;
}

}  // namespace

std::span<const FlagSpec> flag_table() {
  static const std::vector<FlagSpec> table = joined_table();
  return table;
}

const FlagSpec* find_flag(std::string_view long_name) {
  std::string dashed = "--" + std::string(long_name);
  std::replace(dashed.begin() + 2, dashed.end(), '_', '-');
  for (const FlagSpec& spec : flag_table()) {
    bool found = false;
    for_each_name(spec, [&](std::string_view name) { found |= name == dashed; });
    if (found) return &spec;
  }
  return nullptr;
}

std::string did_you_mean_flag(std::string_view given) {
  std::string name(given);
  std::replace(name.begin(), name.end(), '_', '-');
  std::string_view best;
  std::size_t least = farthest_typo(name);
  for (const FlagSpec& spec : flag_table()) {
    for_each_name(spec, [&](std::string_view candidate) {
      if (!candidate.starts_with("--")) return;
      // An abbreviation is as good as a hit: it is refused, so say what it stands for.
      const bool abbreviated = name.size() > 3 && candidate.starts_with(name);
      const std::size_t far = abbreviated ? 0 : edit_distance(name, candidate);
      if (far < least || (far == least && best.empty())) {
        least = far;
        best = candidate;
      }
    });
  }
  return did_you_mean(std::string(best));
}

}  // namespace ddp
