// What a worker writes one of its streams to, and what the launcher reads it from: a pipe, or a
// pseudo terminal.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/pty.hpp"

namespace ddp::out {

struct StreamEnds {
  os::ScopedFd ours;     // non-blocking
  os::ScopedFd workers;  // blocking
};

// The errors say what was to be made and why it was not: "a pipe: Too many open files".
Result<StreamEnds> open_pipe();
Result<StreamEnds> open_terminal(os::WindowSize size);

}  // namespace ddp::out
