// Runs a short program and reads what it prints.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/spawn.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace ddp::os {

struct ChildOutput {
  enum class End {
    exited,       // or was killed by a signal
    late,         // not in time: killed
    stopped,      // a stop request came first: killed
    not_started,  // `error` says why
  };
  End end = End::not_started;
  core::SpawnError error{};
  std::optional<int> code;  // where it exited by itself
  std::string text;         // at most 1 MiB
  std::string errors;       // with_stderr: at most the first 1 MiB
};

// Runs request.program with standard input from /dev/null. Its output is read, and with
// `with_stderr` its error output as well, separately; otherwise that goes to /dev/null. It is
// killed when the limit has passed. A pending SIGINT, SIGTERM, SIGHUP or SIGQUIT, blocked as
// take_over_signals() leaves them, ends the wait and stays pending.
ChildOutput run_and_read(SpawnRequest request, std::chrono::milliseconds limit,
                         bool with_stderr = false);

// The path of a program that is installed in the directory of this one.
std::string program_next_to_this(const std::string& name);

}  // namespace ddp::os
