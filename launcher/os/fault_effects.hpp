// Faults that are applied to a process from outside: signals, limits, CPU affinity; and an occupied
// port.
//
// undo() ends a fault whose time is over; the exit of the process ends every other. All state is in
// the worker itself (its soft limits, its affinity), never in a file, a cgroup or a setting of the
// machine. Workers do not outlive the launcher, so nothing is left even when the launcher is
// killed; SIGKILL reaches stopped processes too.
#pragma once

#include "common/faults/spec.hpp"
#include "common/result.hpp"
#include "launcher/os/fd.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace ddp::os {

class FaultEffects {
 public:
  // Applies kill, signal, memory, file_size, open_files, cpu_time or pin to `pid`, which must be an
  // unreaped child. Returns an empty string, or why the system refused.
  std::string apply(fault::Kind kind, const fault::Value& value, int pid);
  // Restores what apply() found. Does nothing where it changed nothing.
  void undo(fault::Kind kind, int pid);
  // Call when the process has exited.
  void forget(int pid);

 private:
  using Key = std::pair<int, fault::Kind>;
  std::string limit(fault::Kind kind, int resource, rlim_t soft, int pid);
  std::string pin(int core, int pid);

  std::map<Key, rlimit> limits_;
  std::map<Key, cpu_set_t> affinity_;
};

// Opens a socket that listens on `port`, over IPv4 and IPv6, and never accepts: every other process
// finds the port in use.
Result<ScopedFd> occupy_port(std::uint16_t port);

}  // namespace ddp::os
