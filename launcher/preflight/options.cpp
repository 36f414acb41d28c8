#include "launcher/preflight/options.hpp"

namespace ddp {
namespace {

constexpr FlagSpec kFlags[] = {
    {"--preflight", "", ValueKind::toggle, "off", "Checks before the start",
     "check what this launch needs of the machine, print what was found, and start nothing; exits "
     "with 71 where the launch cannot succeed"},
};

}  // namespace

std::span<const FlagSpec> preflight_flags() { return kFlags; }

Failure read_preflight(const SettingsReader& reader, PreflightOptions& options) {
  options.only = reader.toggle("--preflight");
  const Setting* const dry_run = reader.given("--dry-run");
  if (options.only && dry_run != nullptr && dry_run->text == "true")
    return Error{"--preflight and --dry-run are both given: expected one of the two"};
  return std::nullopt;
}

}  // namespace ddp
