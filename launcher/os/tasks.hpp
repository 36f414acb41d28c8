// Samples all threads of a process through /proc. Needs no cooperation and stops nothing.
#pragma once

#include "launcher/core/hangs/task_picture.hpp"

#include <string>

namespace ddp::os {

// Samples the main thread and at most kMostThreads - 1 others; no thread where the process is gone.
// A field that cannot be read is empty.
inline constexpr int kMostThreads = 512;
core::ProcessSample sample_tasks(int pid);

// Whether the name of its executable begins with "python".
bool is_python(int pid);

// The kernel stack of a thread, one function a line; empty without the capability to read it
// (CAP_SYS_ADMIN).
std::string kernel_stack(int pid, int tid);

}  // namespace ddp::os
