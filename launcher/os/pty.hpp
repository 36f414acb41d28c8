// A pseudo terminal for a program's stdout or stderr: the program sees a terminal, the launcher
// reads it like a pipe.
//
// The bytes are unchanged (no output processing) and nothing is echoed. The program's side is
// write-only: a program that reads it fails at once instead of waiting indefinitely. It is no
// controlling terminal, and a worker that opens /dev/stdout does not make it one: the kernel allows
// that only for a readable descriptor.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"

#include <sys/types.h>

#include <optional>

namespace ddp::os {

struct WindowSize {
  int columns = 80;
  int rows = 24;
};

// The size of the terminal `fd`. nullopt where it is no terminal, or one that does not know its
// size.
std::optional<WindowSize> window_size(int fd);

// Whether the process group may draw on the terminal: it is the one that the shell has put in the
// foreground, or the terminal controls no job of ours.
bool in_foreground(int terminal, pid_t group);

struct Pty {
  // Non-blocking. A read fails with EIO once the last slave is closed and everything is read.
  ScopedFd master;
  ScopedFd slave;  // blocking, write-only
};

// Opens a pseudo terminal; both sides are close-on-exec. The error says which step failed and why.
Result<Pty> open_pty(WindowSize size);

}  // namespace ddp::os
