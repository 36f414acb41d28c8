// --preflight.
#pragma once

#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace ddp {

struct PreflightOptions {
  bool only = false;  // --preflight: check, print, and start nothing
  // What it prints of the rendezvous: why the ranks cannot meet (empty: they can), and doubts.
  std::string refused;
  std::vector<std::string> warnings;
};

std::span<const FlagSpec> preflight_flags();
Failure read_preflight(const SettingsReader& reader, PreflightOptions& options);

}  // namespace ddp
