// What /proc shows about processes. A process can exit at any moment: absence is never an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::os {

// Whether /proc is mounted and shows this process's PID namespace. Without it the processes of a
// group cannot be found.
bool proc_is_ours();
// Whether this process is in the machine's first PID namespace, not in that of a container.
bool in_first_pid_namespace();

// The content of a small file, or its first `most` bytes. nullopt when it cannot be read.
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

// The kernel function in which the process sleeps; empty when it runs or the kernel does not show
// it.
std::string wait_channel(int pid);

// Whether a debugger is attached. It reaps the dead process before its parent can.
bool is_traced(int pid);

// The direct children of this process, zombies included: from /proc/self/task/*/children where the
// kernel has it, else from a scan of /proc.
std::vector<int> own_children();

// The pids of all processes in this PID namespace, zombies included.
std::vector<int> all_processes();

// A variable of the environment that a process got at its exec. nullopt where it has none or may
// not be read; a zombie has no environment left.
std::optional<std::string> environment_of(int pid, std::string_view variable);

// The living processes, except this one, that got a NOTIFY_SOCKET in `run_dir` at their exec: those
// of this launch and no other, wherever they are in the process tree. Processes of other users
// cannot be read.
std::vector<int> processes_of_launch(const std::string& run_dir);

}  // namespace ddp::os
