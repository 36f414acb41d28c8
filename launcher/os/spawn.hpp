// Starts worker processes.
//
// A child gets a session of its own, SIGKILL when its parent dies, default dispositions (but
// SIGHUP stays ignored where it was ignored when the launcher started: nohup), an empty signal
// mask, and descriptors 0-2 only.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/os/fd.hpp"

#include <array>
#include <string>
#include <variant>
#include <vector>

namespace ddp::os {

struct SpawnRequest {
  std::string program;                   // a path, or a name that is looked up in PATH
  std::vector<std::string> arguments;    // without the program itself
  std::vector<std::string> environment;  // "NAME=value"
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Where the Yama module lets only ancestors trace a process (ptrace_scope 1): let debuggers that
  // the launcher starts do so as well.
  bool traceable = false;
  int cgroup_fd = -1;  // start within this cgroup, if it lets us; -1: the launcher's own
};

struct Child {
  int pid = -1;
  ScopedFd pidfd;
};

class Spawner {
 public:
  // To be made before many descriptors are open: a child is handed a table that ends behind the
  // three of this object, rather than a copy of all that its exec would have to close one by one.
  Spawner();

  // Returns when the child's exec has succeeded or failed. After a failure no process is left of
  // it.
  std::variant<Child, core::SpawnError> spawn(const SpawnRequest& request);

 private:
  int hand_over(const SpawnRequest& request) const;
  void take_back();

  // Standard input, output and error of the next child; /dev/null at all other times. All or none:
  // where there are none a child gets the whole table.
  ScopedFd null_;
  std::array<ScopedFd, 3> slots_;
};

}  // namespace ddp::os
