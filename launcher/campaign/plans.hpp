// Turns a directory of fault plans into runs. All of them are checked before the first starts.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/settings/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ddp::campaign {

struct PlannedRun {
  std::string path;  // the plan's file
  std::string stem;  // its name without ".toml": the run's --run-id, and its directory
  std::string text;  // the content of the file
  core::FaultPlan plan;
  Settings settings;                     // of ddp-launch: the campaign's, overridden by the plan's
  std::vector<std::string> command;      // empty: the one of the configuration file
  core::Nanoseconds shutdown_timeout{};  // the grace period of the run
};

// What the campaign's command line sets for every run.
struct Common {
  Settings settings;
  std::vector<std::string> command;  // for plans without one
};

// Reads the plans of a directory ("*.toml" except hidden files, in the order of their names), or
// the one plan that `where` names. The error lists everything that is wrong, one line a plan.
Result<std::vector<PlannedRun>> read_plans(const std::string& where, const Common& common,
                                           const Machine& machine);

// The directory of a run's output and logs: <base>/<stem>.
std::string run_dir(const PlannedRun& run, const std::string& base);
// The program's own directory, below the former. It has no file of the launcher, so the program may
// remove and recreate it.
std::string work_dir(const PlannedRun& run, const std::string& base);
// Stands for that directory in a plan's options and command.
inline constexpr std::string_view kDirWord = "{dir}";

// Stands for <base> in texts, where that does not exist or is removed.
inline constexpr const char* kSomeDirectory = "<directory>";

// The command line of one run, without the program.
std::vector<std::string> run_arguments(const PlannedRun& run, const std::string& base);

// Flags of the campaign itself: not for its runs.
bool is_of_campaign(std::string_view flag);
// Why a flag can be used neither with --campaign nor in a plan; nullptr for all others.
const char* why_not_in_campaign(std::string_view flag);

}  // namespace ddp::campaign
