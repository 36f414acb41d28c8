// A look at all threads of a process, by /proc. Needs no cooperation and stops nothing.
#pragma once

#include "launcher/core/hangs/task_picture.hpp"

#include <string>

namespace ddp::os {

// The main thread and at most kMostThreads - 1 others; none where the process is gone. What may
// not be read of a thread is empty.
inline constexpr int kMostThreads = 512;
core::ProcessSample sample_tasks(int pid);

// Whether its executable is called python, python3 …
bool is_python(int pid);

// The kernel stack of a thread, one function a line; empty without the right to read it
// (CAP_SYS_ADMIN).
std::string kernel_stack(int pid, int tid);

}  // namespace ddp::os
