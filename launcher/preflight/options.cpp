#include "launcher/preflight/options.hpp"

namespace ddp {
namespace {

constexpr std::string_view kChecks = "Checks before the start";

constexpr FlagSpec kFlags[] = {
    {"--preflight", "", ValueKind::toggle, "off", kChecks,
     "check what this launch needs of the machine, print what was found, and start nothing; exits "
     "with 71 where the launch cannot succeed"},
    {"--check", "COMMAND", ValueKind::text, "none", kChecks,
     "a shell command, run for each rank before each attempt with the rank's environment: exit "
     "code "
     "0 passes, 10 warns, 20 asks to be tried again, anything else ends the run with 71"},
    {"--check-timeout", "TIME", ValueKind::duration, "60s", kChecks,
     "how long the checks of all ranks together may take; more than 0"},
    {"--check-retries", "N", ValueKind::number, "3", kChecks,
     "how often a check that asks for it is tried again before it refuses, 0 to 1000"},
    {"--check-delay", "TIME", ValueKind::duration, "5s", kChecks, "the wait before that"},
    {"--device-release-timeout", "TIME", ValueKind::duration, "10s", kChecks,
     "before a restart, how long NVIDIA devices may take to release the memory of the last "
     "attempt; "
     "0: do not wait"},
};

}  // namespace

std::span<const FlagSpec> preflight_flags() { return kFlags; }

Failure read_preflight(const SettingsReader& reader, PreflightOptions& options, bool has_devices,
                       core::GroupConfig& group) {
  core::Nanoseconds timeout = std::chrono::seconds(60);
  if (auto failure = reader.duration("--check-timeout", timeout)) return failure;
  if (timeout <= core::Nanoseconds::zero())
    return refusal(*reader.given("--check-timeout"), "a time that is more than 0");
  if (auto failure = reader.integer("--check-retries", 0, 1000, group.check_retries))
    return failure;
  if (auto failure = reader.duration("--check-delay", group.check_delay)) return failure;
  if (const Setting* const check = reader.given("--check")) {
    if (check->text.empty()) return refusal(*check, "a command for the shell");
    options.check = check->text;
    group.check_timeout = timeout;
  }
  core::Nanoseconds release = std::chrono::seconds(10);
  if (auto failure = reader.duration("--device-release-timeout", release)) return failure;
  if (has_devices) group.device_release_timeout = release;
  options.only = reader.toggle("--preflight");
  const Setting* const dry_run = reader.given("--dry-run");
  if (options.only && dry_run != nullptr && dry_run->text == "true")
    return Error{"--preflight and --dry-run are both given: expected one of the two"};
  return std::nullopt;
}

}  // namespace ddp
