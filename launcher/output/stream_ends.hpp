// The two sides of one stream of a worker: a pipe or a pseudo terminal.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/pty.hpp"

namespace ddp::out {

struct StreamEnds {
  os::ScopedFd ours;     // to read; non-blocking
  os::ScopedFd workers;  // to write; blocking
};

// The errors say what could not be made and why: "a pipe: Too many open files".
Result<StreamEnds> open_pipe();
Result<StreamEnds> open_terminal(os::WindowSize size);

}  // namespace ddp::out
