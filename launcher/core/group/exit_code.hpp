// The exit codes of ddp-launch: one table for the program, its help and the README.
#pragma once

#include "launcher/core/types.hpp"

#include <span>

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

// A worker's own code, or 128+n for signal n.
int exit_code_of(const ExitStatus& status);
// ENOENT and ENOTDIR of exec are 127; what is there but cannot be executed (EACCES, ENOEXEC, …) is
// 126; everything else is the system's refusal, 71.
int exit_code_of(const SpawnError& error);

}  // namespace ddp::core
