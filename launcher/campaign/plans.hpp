// A directory of fault plans as the runs to be made, each checked whole before the first is
// started.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/settings/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ddp::campaign {

struct PlannedRun {
  std::string path;  // of the plan's file
  std::string stem;  // its name without ".toml": the run's --run-id, and its directory
  std::string text;  // of it
  core::FaultPlan plan;
  Settings settings;                     // of ddp-launch: the campaign's, and the plan's over them
  std::vector<std::string> command;      // empty: the configuration file's
  core::Nanoseconds shutdown_timeout{};  // of the run's own teardown
};

// What the campaign's own command line says of every run.
struct Common {
  Settings settings;
  std::vector<std::string> command;  // where a plan has none
};

// The plans of a directory ("*.toml" but the hidden ones, in the order of their names), or the one
// plan that `where` names. The error lists everything that is wrong, one line a plan.
Result<std::vector<PlannedRun>> read_plans(const std::string& where, const Common& common,
                                           const Machine& machine);

// Where ddp-launch keeps what a run showed and wrote down about itself: <base>/<stem>.
std::string run_dir(const PlannedRun& run, const std::string& base);
// The program's own directory, which it may remove and make anew: within the former, so that both
// are found in one place, but with nothing of the launcher's in it.
std::string work_dir(const PlannedRun& run, const std::string& base);
// Stands for it in a plan's options and command.
inline constexpr std::string_view kDirWord = "{dir}";

// Stands for <base> where there is none, or none any more.
inline constexpr const char* kSomeDirectory = "<directory>";

// The command line of one run, without the program.
std::vector<std::string> run_arguments(const PlannedRun& run, const std::string& base);

// `text` with each `part` of it replaced.
std::string replaced(std::string text, std::string_view part, std::string_view by);

// Flags of the campaign itself: not for its runs.
bool is_of_campaign(std::string_view flag);
// Why a flag can be used neither with --campaign nor in a plan; nullptr for all others.
const char* why_not_in_campaign(std::string_view flag);

}  // namespace ddp::campaign
