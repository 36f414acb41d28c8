// Settings as given -> Options: each room reads and checks its part, in the order in which errors
// are reported.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/settings/reader.hpp"

#include <string>
#include <vector>

namespace ddp {

// The settings are command line, environment and file already merged. The error is one line that
// names the flag, its value and what is allowed.
Result<Options> check_options(const SettingsReader& reader, std::vector<std::string> command,
                              const Machine& machine);

}  // namespace ddp
