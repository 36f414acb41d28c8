// A pseudo terminal as a program's stdout or stderr: what the program takes for a terminal, read
// like a pipe.
//
// Its bytes are unchanged (no output processing), nothing is echoed, and the program's end is
// write-only: nobody types there, so what reads it fails at once instead of waiting for ever. It is
// no controlling terminal, and a worker that opens /dev/stdout does not make it one: the kernel
// lets only a readable descriptor do that.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"

#include <optional>

namespace ddp::os {

struct WindowSize {
  int columns = 80;
  int rows = 24;
};

// Of the terminal that `fd` is; none where it is no terminal, or one that does not know its size.
std::optional<WindowSize> window_size(int fd);

struct Pty {
  ScopedFd master;  // non-blocking; a read fails with EIO once the last slave is closed and all is
                    // read
  ScopedFd slave;   // blocking, write-only
};

// Both ends are close-on-exec. The error says which step failed and why.
Result<Pty> open_pty(WindowSize size);

}  // namespace ddp::os
