// --preload: the modules that one Python imports before it forks the ranks.
#pragma once

#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace ddp {

struct PreloadOptions {
  std::vector<std::string> modules;  // empty: none; "auto" alone: the program's own imports
};

std::span<const FlagSpec> preload_flags();
Failure read_preload(const SettingsReader& reader, PreloadOptions& options);
// Whether `command`, the ranks' program with its arguments, can be forked.
Failure check_preload(const PreloadOptions& options, std::span<const std::string> command);

}  // namespace ddp
