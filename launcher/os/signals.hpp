// The launcher's signals: blocked everywhere, read from descriptors, never handled in a handler.
#pragma once

#include "launcher/os/fd.hpp"

#include <csignal>
#include <vector>

namespace ddp::os {

// To be called once, first thing: remembers what the parent had ignored, blocks every signal the
// launcher reads, sets SIGCHLD to default (an inherited SIG_IGN would reap behind our back) and
// ignores SIGPIPE and SIGXFSZ.
void take_over_signals();

// Ignored when the process started, but for SIGHUP; workers get the default back. Plus SIGPIPE
// and SIGXFSZ, which the launcher itself ignores.
const std::vector<int>& signals_ignored_at_start();

// A non-blocking signalfd for the signals that take_over_signals() blocked.
ScopedFd open_signal_fd();

// Sends to a process group. Refuses pid <= 1, which would mean everyone. False with errno set on
// failure.
bool signal_group(int pid, int signal);

}  // namespace ddp::os
