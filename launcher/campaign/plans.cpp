#include "launcher/campaign/plans.hpp"

#include "common/join.hpp"
#include "launcher/base/replaced.hpp"
#include "launcher/cli/command_line.hpp"
#include "launcher/cli/flags.hpp"
#include "launcher/plan/plan_file.hpp"
#include "launcher/rendezvous/run_id.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace ddp::campaign {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPlanSuffix = ".toml";
// Stands for the runs' directory while they are checked.
constexpr const char* kSomeBase = "/campaign";

std::vector<const char*> argv_of(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"ddp-launch"};
  for (const auto& word : words) argv.push_back(word.c_str());
  return argv;
}

Result<std::vector<std::string>> plan_files(const std::string& where) {
  if (where.empty()) return Error{"--campaign is '': expected a directory of plans, or one plan"};
  std::error_code failed;
  const auto status = fs::status(where, failed);
  if (!fs::exists(status)) return Error{"--campaign: " + where + ": " + failed.message()};
  if (!fs::is_directory(status)) return std::vector<std::string>{where};
  std::vector<std::string> files;
  for (fs::directory_iterator it(where, failed), end; !failed && it != end; it.increment(failed)) {
    const bool hidden = it->path().filename().native().starts_with('.');  // such as an editor's
    if (!hidden && it->path().extension() == kPlanSuffix) files.push_back(it->path().string());
  }
  if (failed) return Error{"--campaign: " + where + ": " + failed.message()};
  if (files.empty())
    return Error{"--campaign: " + where + ": contains no plan: expected files named *.toml"};
  std::sort(files.begin(), files.end());
  return files;
}

// The campaign's settings, overridden by the plan's options.
Result<Settings> settings_of(const core::FaultPlan& plan, const Settings& common) {
  const auto argv = argv_of(plan.launch.options);
  const auto line = read_command_line(static_cast<int>(argv.size()), argv.data());
  if (!line) return Error{line.error()};
  if (!line->command.empty())
    return Error{"'" + line->command.front() +
                 "' is not an option: expected flags only; the program goes into command"};
  Settings merged = common;
  for (const FlagSpec& spec : flag_table()) {
    const std::string_view flag = first_name(spec);
    if (line->settings.get(flag) == nullptr) continue;
    const char* why = why_not_in_campaign(flag);
    if (is_of_campaign(flag) || flag == "--help" || flag == "--version")
      why = "it belongs to ddp-launch --campaign";
    if (why != nullptr) return Error{std::string(flag) + " cannot be used in a plan: " + why};
    merged.take(flag, line->settings);
  }
  return merged;
}

// Turns an error about a run into one about its plan.
std::string about_plan(const std::string& path, std::string text) {
  constexpr std::string_view kProgram = "ddp-launch: ";
  constexpr std::string_view kFlag = "--faults: ";  // has file, line and column after it
  if (text.starts_with(kProgram)) text.erase(0, kProgram.size());
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.starts_with(kFlag)) return text.substr(kFlag.size());
  return path + ": " + text;
}

Result<PlannedRun> read_plan(const std::string& path, const Common& common,
                             const Machine& machine) {
  PlannedRun run{.path = path, .stem = fs::path(path).stem().string()};
  if (!is_run_id(run.stem))
    return Error{path + ": the plan's file name is the name of its run: expected " +
                 std::string(kRunIdRule)};
  auto text = read_plan_text(path);
  if (!text) return Error{path + ": " + text.error()};
  auto plan = parse_fault_plan(*text, path, 0);
  if (!plan) return Error{plan.error()};
  run.text = std::move(*text);
  auto settings = settings_of(*plan, common.settings);
  if (!settings) return Error{path + ": [launch] options: " + settings.error()};
  run.settings = std::move(*settings);
  run.command = plan->launch.command.empty() ? common.command : plan->launch.command;
  run.plan = std::move(*plan);

  const auto words = run_arguments(run, kSomeBase);
  const auto argv = argv_of(words);
  auto parsed = parse_options(static_cast<int>(argv.size()), argv.data(), machine);
  if (const auto* refused = std::get_if<ExitNow>(&parsed))
    return Error{about_plan(path, refused->text)};
  auto& options = std::get<Options>(parsed);
  run.plan = std::move(options.faults.plan);
  run.shutdown_timeout = options.group.shutdown_timeout;
  return run;
}

}  // namespace

bool is_of_campaign(std::string_view flag) {
  constexpr std::string_view kOwn[] = {"--campaign", "--log-dir", "--run-id",
                                       "--junit",    "--summary", "--dry-run"};
  return std::find(std::begin(kOwn), std::end(kOwn), flag) != std::end(kOwn);
}

const char* why_not_in_campaign(std::string_view flag) {
  constexpr const char* kFaultsInPlans = "the plans have the faults";
  constexpr const char* kOneMachine = "it runs on one machine";
  constexpr std::pair<std::string_view, const char*> kReasons[] = {
      {"--inject", kFaultsInPlans},
      {"--replay", kFaultsInPlans},
      {"--faults", "each run gets its own plan"},
      {"--stdin", "the runs have no standard input"},
      {"--nnodes", kOneMachine},
      {"--node-rank", kOneMachine},
  };
  for (const auto& [name, why] : kReasons) {
    if (name == flag) return why;
  }
  return nullptr;
}

Result<std::vector<PlannedRun>> read_plans(const std::string& where, const Common& common,
                                           const Machine& machine) {
  const auto files = plan_files(where);
  if (!files) return Error{files.error()};
  std::vector<PlannedRun> runs;
  std::map<std::string, std::string> paths;  // by name
  std::string errors;
  const auto wrong = [&](const std::string& line) { append_item(errors, line, "\n"); };
  for (const auto& path : *files) {
    auto run = read_plan(path, common, machine);
    if (!run) {
      wrong(run.error());
      continue;
    }
    const auto [other, is_new] = paths.try_emplace(run->plan.name, path);
    if (!is_new) {
      wrong(path + ": the name '" + run->plan.name + "' is already that of " + other->second +
            ": expected a unique name");
    }
    runs.push_back(std::move(*run));
  }
  if (!errors.empty()) return Error{errors};
  return runs;
}

std::string run_dir(const PlannedRun& run, const std::string& base) {
  return base + "/" + run.stem;
}

std::string work_dir(const PlannedRun& run, const std::string& base) {
  return run_dir(run, base) + "/work";
}

std::vector<std::string> run_arguments(const PlannedRun& run, const std::string& base) {
  const std::string dir = work_dir(run, base);
  std::vector<std::string> words;
  for (const FlagSpec& spec : flag_table()) {
    for (const Setting& setting : run.settings.all(first_name(spec))) {
      const std::string name(first_name(spec));
      words.push_back(spec.argument.empty() ? name
                                            : name + "=" + replaced(setting.text, kDirWord, dir));
    }
  }
  words.push_back("--faults=" + run.path);
  words.push_back("--log-dir=" + base);
  words.push_back("--run-id=" + run.stem);
  if (!run.command.empty()) words.push_back("--");
  for (const auto& word : run.command) words.push_back(replaced(word, kDirWord, dir));
  return words;
}

}  // namespace ddp::campaign
