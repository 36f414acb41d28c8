// argv as settings and a command. CLI11 stays inside command_line.cpp.
#pragma once

#include "launcher/settings/settings.hpp"

#include <string>
#include <vector>

namespace ddp {

struct CommandLine {
  Settings settings;
  std::vector<std::string> command;  // the program and its arguments, untouched
};

// The program is what follows "--", or the first word that is not a flag; everything after it is
// the program's own. The error names the flag that is unknown, lacks its value or is given twice.
Result<CommandLine> read_command_line(int argc, const char* const* argv);

}  // namespace ddp
