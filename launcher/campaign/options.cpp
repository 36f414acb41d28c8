#include "launcher/campaign/options.hpp"

#include "common/utf8.hpp"
#include "launcher/base/shell_word.hpp"
#include "launcher/cli/command_line.hpp"
#include "launcher/cli/flags.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/rendezvous/run_id.hpp"
#include "launcher/report/options.hpp"
#include "launcher/settings/reader.hpp"

#include <filesystem>

namespace ddp::campaign {
namespace {

class Reader : SettingsReader {
 public:
  explicit Reader(const CommandLine& line) : SettingsReader(line.settings), line_(line) {
    common_.command = line.command;
  }

  Result<Campaign> read(const Machine& machine) {
    for (const auto step : {&Reader::sort_flags, &Reader::run_id, &Reader::files}) {
      if (auto failure = (this->*step)()) return *failure;
    }
    campaign_.dry_run = toggle("--dry-run");
    campaign_.status = !toggle("--no-status");
    auto runs = read_plans(given("--campaign")->text, common_, machine);
    if (!runs) return Error{runs.error()};
    campaign_.runs = std::move(*runs);
    return std::move(campaign_);
  }

 private:
  // The campaign's own flags, and those that apply to every run.
  Failure sort_flags() {
    for (const FlagSpec& spec : flag_table()) {
      const std::string_view flag = first_name(spec);
      if (given(flag) == nullptr || is_of_campaign(flag)) continue;
      if (const char* const why = why_not_in_campaign(flag))
        return Error{std::string(flag) + " cannot be used with --campaign: " + why};
      common_.settings.take(flag, line_.settings);
    }
    return std::nullopt;
  }

  Failure run_id() {
    const Setting* const setting = given("--run-id");
    campaign_.run_id = setting != nullptr ? setting->text : generate_run_id();
    if (is_run_id(campaign_.run_id)) return std::nullopt;
    return refusal(*setting, kRunIdRule);
  }

  Failure files() {
    if (const Setting* const dir = given("--log-dir")) {
      if (dir->text.empty()) return refusal(*dir, "a directory");
      campaign_.log_dir = dir->text;
    }
    std::error_code ignored;
    const auto kept = std::filesystem::path(campaign_.log_dir) / campaign_.run_id;
    if (!campaign_.log_dir.empty() && std::filesystem::exists(kept, ignored))
      return Error{kept.string() + " already exists: expected another --run-id or --log-dir"};
    if (auto failure = read_summary(*this, campaign_.json_summary)) return failure;
    return read_junit(*this, campaign_.junit);
  }

  const CommandLine& line_;
  Common common_;
  Campaign campaign_;
};

// An error with the program's name in front of each line.
ExitNow refused(const std::string& why) {
  std::string text;
  for (std::string_view rest = why; !rest.empty();) {
    const auto end = rest.find('\n');
    text += "ddp-launch: " + without_controls(rest.substr(0, end)) + "\n";
    rest.remove_prefix(end != std::string_view::npos ? end + 1 : rest.size());
  }
  return ExitNow{core::kUsage, text};
}

}  // namespace

bool is_campaign(int argc, const char* const* argv) {
  // A launch without a campaign parses its command line once.
  bool named = false;
  for (int i = 1; i < argc; ++i) named |= std::string_view(argv[i]).starts_with("--campaign");
  if (!named) return false;
  const auto line = read_command_line(argc, argv);
  return line && line->settings.get("--campaign") != nullptr;
}

std::variant<Campaign, ExitNow> parse_campaign(int argc, const char* const* argv,
                                               const Machine& machine) {
  auto line = read_command_line(argc, argv);
  if (!line) return refused(line.error());
  // Each run reads the variables again, and is checked here with what it will read.
  std::vector<std::string> warnings;
  const auto defaults = read_pet_variables(machine.pet, warnings);
  if (!defaults) return refused(defaults.error());
  for (const auto flag : {"--run-id", "--log-dir", "--junit", "--summary", "--dry-run"})
    if (line->settings.get(flag) == nullptr) line->settings.take(flag, *defaults);
  auto campaign = Reader(*line).read(machine);
  if (!campaign) return refused(campaign.error());
  return std::move(*campaign);
}

std::variant<Campaign, ExitNow> parse_campaign(int argc, const char* const* argv) {
  return parse_campaign(argc, argv, this_machine());
}

std::string dry_run_text(const Campaign& campaign) {
  const std::size_t count = campaign.runs.size();
  std::string text = "campaign of " + std::to_string(count) + (count == 1 ? " plan" : " plans") +
                     "; nothing is started\n";
  for (const auto& run : campaign.runs) {
    text += "\n" + without_controls(run.plan.name) + "\n ddp-launch";
    for (const auto& word : run_arguments(run, kSomeDirectory)) text += " " + shell_word(word);
    text += "\n";
  }
  return text;
}

}  // namespace ddp::campaign
