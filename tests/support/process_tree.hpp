// The processes below the test process. It becomes a child subreaper, so that every process that a
// program under test leaves behind, by setsid and double fork or by the death of its parents,
// becomes its child and is found: no process leaves the tree.
#pragma once

#include "tests/support/deadline.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ddp::test {

// Makes this process a subreaper; before the first program under test starts.
void become_subreaper();

struct ProcessInfo {
  int pid = 0;
  int parent = 0;
  int session = 0;
  char state = '?';  // as /proc/<pid>/stat: Z is a zombie
  std::string name;  // the kernel's 15 characters
  std::string command_line;
};
std::string describe(const std::vector<ProcessInfo>& processes);

// Every descendant of `pid`, zombies too, by parent links; parents before children.
std::vector<ProcessInfo> descendants(int pid);

// Every process whose environment at exec contained NAME=value, anywhere in the tree. Zombies
// have no environment and are never included.
std::vector<ProcessInfo> processes_with(std::string_view name, std::string_view value);

// The kernel's view of a process's state, signal sets and so on: a field of
// /proc/<pid>/status, such as "SigBlk"; empty if the process or the field is gone.
std::string status_field(int pid, std::string_view field);

// Reaps the zombies that the test process inherited as a subreaper, except `except`; returns how
// many were reaped.
int reap_adopted(const std::vector<int>& except);

// SIGKILL to every descendant and reaps them all, until none is left.
void kill_descendants();

// Waits until `pid`, which need not be a child, has exited; false at the deadline.
bool wait_gone(int pid, const Deadline& deadline);

}  // namespace ddp::test
