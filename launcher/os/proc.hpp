// What /proc tells of processes. Everything may be gone the moment it is read: absence is never an
// error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::os {

// Whether /proc is there and shows this process's own PID namespace; if not, what is left of a
// group could not be found.
bool proc_is_ours();

// A (small) file, or its first `most` bytes; nothing when it cannot be read.
std::optional<std::string> read_file(const std::string& path, std::size_t most = std::string::npos);

struct ProcessInfo {
  int pid = 0;
  int parent = 0;
  int group = 0;
  int session = 0;
  std::uint64_t start_time = 0;  // clock ticks since the machine started
  char state = '?';  // R running, S sleeping, D uninterruptible, T stopped, t traced, Z zombie
  std::string command;
};
std::optional<ProcessInfo> read_process(int pid);

// The kernel function the process sleeps in; empty when it runs or the kernel does not tell.
std::string wait_channel(int pid);

// A debugger is attached to the process: once dead, it is the debugger's to reap first.
bool is_traced(int pid);

// Direct children of the calling process, zombies included. From /proc/self/task/*/children where
// the kernel has it, else from a scan of /proc.
std::vector<int> own_children();

// The pid of every process of the machine, zombies included.
std::vector<int> all_processes();

// A variable of the environment that a process was given at its exec; nothing where it has none or
// may not be asked. A zombie has no environment left.
std::optional<std::string> environment_of(int pid, std::string_view variable);

// Living processes, other than the caller, that were given a NOTIFY_SOCKET in `run_dir` at their
// exec, as no other launch's were, wherever they hang in the tree; those of other users cannot be
// asked.
std::vector<int> processes_of_launch(const std::string& run_dir);

}  // namespace ddp::os
