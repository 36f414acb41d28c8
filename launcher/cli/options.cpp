#include "launcher/cli/options.hpp"

#include "common/env_names.hpp"
#include "common/utf8.hpp"
#include "launcher/base/shell_word.hpp"
#include "launcher/cli/command_line.hpp"
#include "launcher/cli/config_file.hpp"
#include "launcher/cli/flags.hpp"
#include "launcher/cli/options_check.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/rendezvous/check.hpp"

#include <unistd.h>

#include <cstdlib>

namespace ddp {
namespace {

constexpr const char* kVersionLine = "ddp-launch " DDP_VERSION "\n";

// `merged` gets what the command line, the environment and the file have said together.
// Later ones win: PET_ variables, the file, DDP_LAUNCH_LOG, the command line.
Result<Options> read_options(CommandLine line, const Machine& machine, Settings& merged) {
  std::vector<std::string> warnings;
  auto defaults = read_pet_variables(machine.pet, warnings);
  if (!defaults) return Error{defaults.error()};
  merged = std::move(*defaults);
  drop_overruled(merged, line.settings);
  if (const Setting* path = line.settings.get("--config")) {
    const auto file = read_config_file(path->text);
    if (!file) return Error{file.error()};
    drop_overruled(merged, file->settings);
    merged.take(file->settings);
    if (line.command.empty()) line.command = file->command;
  }
  if (const char* level = machine.get_env(env::kLaunchLog); level != nullptr && *level != '\0')
    merged.set("--log-level", {env::kLaunchLog, level, env::kLaunchLog});
  merged.take(line.settings);
  auto options = check_options(SettingsReader(merged), std::move(line.command), machine);
  const char* const campaign = machine.get_env(env::kCampaignEvents);
  if (!options) return options;
  if (campaign != nullptr) options->report.campaign_events = campaign;
  options->warnings.insert(options->warnings.begin(), warnings.begin(), warnings.end());
  for (const FlagSpec& spec : flag_table()) {
    if (spec.kind == ValueKind::shell_only) continue;
    for (const Setting& setting : merged.all(first_name(spec)))
      options->given.push_back({first_name(spec), setting});
  }
  return options;
}

// Programs with thousands of arguments exist; an event holds this many bytes of them.
constexpr std::size_t kLongestCommandLine = 4096;

std::string command_line(int argc, const char* const* argv) {
  std::string line;
  for (int i = 0; i < argc && line.size() <= kLongestCommandLine; ++i)
    line += (i > 0 ? " " : "") + shell_word(argv[i]);
  if (line.size() <= kLongestCommandLine) return line;
  return std::string(utf8_prefix(line, kLongestCommandLine)) + " …";
}

// A refusal of a launch, without the program's name and the newline.
std::string one_line(std::string text) {
  text.erase(0, text.find(": ") + 2);
  text.pop_back();
  return text;
}

}  // namespace

WorkerSpec worker_spec(const Options& options) {
  const core::HangLimits& limits = options.hangs.limits;
  return {.ranks = options.ranks,
          .options = options.workers,
          .rendezvous = options.rendezvous,
          .max_restarts = options.group.restart.max_restarts,
          .heartbeat = limits.heartbeat,
          .traceable = options.hangs.on_hang != "none",
          .may_hang = limits.any(),
          .places = options.places};
}

LaunchFacts launch_facts(const Options& options) {
  return {.ranks = options.ranks,
          .run_id = options.rendezvous.run_id,
          .program = options.workers.command.front(),
          .command = options.command_line,
          .version = DDP_VERSION,
          .max_restarts = options.group.restart.max_restarts,
          .straggler_window = options.hangs.straggler.window,
          .stdin_rank = options.workers.stdin_rank,
          .clean_shm = options.workers.clean_shm,
          .findings = options.findings,
          .options = options.report};
}

std::variant<Options, ExitNow> parse_options(int argc, const char* const* argv,
                                             const Machine& machine) {
  const auto refused = [](const std::string& why) {
    return ExitNow{core::kUsage, "ddp-launch: " + without_controls(why) + "\n"};
  };
  auto line = read_command_line(argc, argv);
  if (!line) return refused(line.error());
  if (line->settings.get("--help") != nullptr) return ExitNow{core::kSuccess, help_text()};
  if (line->settings.get("--version") != nullptr) return ExitNow{core::kSuccess, kVersionLine};
  Settings merged;
  auto options = read_options(std::move(*line), machine, merged);
  if (!options) return refused(options.error());
  auto command = program_command(options->program_kind, options->workers.command, machine.get_env);
  if (auto* leave = std::get_if<ExitNow>(&command)) return std::move(*leave);
  options->workers.command = std::get<std::vector<std::string>>(std::move(command));
  if (auto failure = check_preload(options->preload, options->workers.command))
    return refused(failure->message);
  if (!options->dry_run) {
    auto& preflight = options->preflight;
    auto leave = check_rendezvous(merged, machine.network, options->ranks, options->rendezvous,
                                  preflight.only ? preflight.warnings : options->warnings);
    if (leave && !preflight.only) return std::move(*leave);
    if (leave) preflight.refused = one_line(std::move(leave->text));
  }
  options->command_line = command_line(argc, argv);
  return std::move(*options);
}

Machine this_machine() {
  return {.get_env = [](const char* name) { return std::getenv(name); },
          .cpus = os::count_cpus(),
          .pet = pet_variables(environ)};
}

std::variant<Options, ExitNow> parse_options(int argc, const char* const* argv) {
  return parse_options(argc, argv, this_machine());
}

}  // namespace ddp
