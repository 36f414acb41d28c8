// --preflight, and the user's own check.
#pragma once

#include "launcher/core/group/group.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace ddp {

struct PreflightOptions {
  std::string check;  // --check: a command for the shell; empty: none
  bool only = false;  // --preflight: check, print, and start nothing
  // What it prints of the rendezvous: why the ranks cannot meet (empty: they can), and doubts.
  std::string refused;
  std::vector<std::string> warnings;
};

std::span<const FlagSpec> preflight_flags();
// Sets what `group` needs of --check and --device-release-timeout; `has_devices`: the ranks use
// NVIDIA devices, and there are some.
Failure read_preflight(const SettingsReader& reader, PreflightOptions& options, bool has_devices,
                       core::GroupConfig& group);

}  // namespace ddp
