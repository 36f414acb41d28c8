// The exit codes of ddp-launch: one table for the program, its help and its documentation.
#pragma once

#include "launcher/core/types.hpp"

#include <span>
#include <string>

namespace ddp::core {

enum ExitCode : int {
  kSuccess = 0,
  kUsage = 2,
  kLauncherFault = 70,
  kSystemRefused = 71,
  kHung = 72,
  kExpectationFailed = 73,
  kUnkillable = 74,
  kNotExecutable = 126,
  kNotFound = 127,
  kSignalBase = 128,
};

struct ExitCodeRow {
  const char* code;  // "0", "128+n"
  const char* meaning;
};
// In ascending order of code.
std::span<const ExitCodeRow> exit_code_table();
// The table in Markdown, as README.md and docs/ show it.
std::string exit_codes_markdown();

// A worker's own code, or 128+n for signal n.
int exit_code_of(const ExitStatus& status);
// ENOENT and ENOTDIR of exec are 127; a file that cannot be executed (EACCES, ENOEXEC, …) is 126;
// every other error is 71, the system refused.
int exit_code_of(const SpawnError& error);

}  // namespace ddp::core
