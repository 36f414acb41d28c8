// --config: a TOML file whose keys are the long flags, and `command = ["./worker", …]`. toml++
// stays inside config_file.cpp.
#pragma once

#include "launcher/settings/settings.hpp"

#include <string>
#include <vector>

namespace ddp {

struct ConfigFile {
  Settings settings;                 // `what` is "file:line:column: key"
  std::vector<std::string> command;  // empty: not in the file
};

// The error is one line that begins with the file, and with line and column where it has one.
Result<ConfigFile> read_config_file(const std::string& path);
// `text` as the content of the file `path`.
Result<ConfigFile> parse_config(std::string_view text, const std::string& path);

}  // namespace ddp
