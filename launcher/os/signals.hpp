// The launcher's signals: blocked everywhere and read from descriptors, never caught by a handler.
#pragma once

#include "launcher/os/fd.hpp"

#include <csignal>
#include <optional>
#include <vector>

namespace ddp::os {

// Call once, first in main(): remembers which signals the parent ignored, blocks every signal that
// the launcher reads, resets SIGCHLD (an inherited SIG_IGN would reap children automatically) and
// ignores SIGPIPE and SIGXFSZ.
void take_over_signals();

// The signals that were ignored when the process started, except SIGHUP, and SIGPIPE and SIGXFSZ,
// which the launcher ignores: workers get the default action for them.
const std::vector<int>& signals_ignored_at_start();

// Opens a non-blocking signalfd for the signals that take_over_signals() blocked.
ScopedFd open_signal_fd();

// The SIGINT, SIGTERM, SIGHUP or SIGQUIT that is pending and not yet read, if any.
std::optional<int> pending_stop_request();

// Sends `signal` to a process group. Refuses pid <= 1, which would mean every process. False with
// errno set on failure.
bool signal_group(int pid, int signal);

}  // namespace ddp::os
