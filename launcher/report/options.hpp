// Where a run reports its result next to the console, and what reports state about the launch.
#pragma once

#include "launcher/core/finding.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/shared_memory.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddp {

struct ReportOptions {
  std::string junit;            // where the verdict goes as JUnit XML; empty: nowhere
  bool json_summary = false;    // one line on stdout at the end
  std::string campaign_events;  // EventLog's; empty: not the run of a campaign
};

// What messages and events say about a launch, whatever happens in it.
struct LaunchFacts {
  core::RankGroup ranks;
  std::string run_id;
  std::string program;  // as the user gave it
  std::string command;  // the whole command line, for a shell; a very long one is cut
  std::string version;  // of ddp-launch
  int max_restarts = 0;
  int straggler_window = 0;       // steps
  std::optional<int> stdin_rank;  // local rank that gets the launcher's stdin
  core::CleanSharedMemory clean_shm = core::CleanSharedMemory::generated;
  std::vector<core::Finding> findings;  // of the checks before the launch, that are not ok
  ReportOptions options;
};

// --summary and --junit.
std::span<const FlagSpec> report_flags();
Failure read_summary(const SettingsReader& reader, bool& json);
Failure read_junit(const SettingsReader& reader, std::string& path);

}  // namespace ddp
