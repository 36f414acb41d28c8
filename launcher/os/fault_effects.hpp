// Faults applied to a process from outside: signals, limits, affinity; and a port that is taken.
//
// Who undoes them: undo() when a fault's time is over, and otherwise the end of the process. All of
// it lives in the worker alone (soft limits and affinity of its own, never a file, a cgroup or a
// setting of the machine), and workers do not outlive the launcher, so nothing is left even when
// the launcher is killed; SIGKILL reaches stopped processes too.
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
  // unreaped child. Empty, or why the system refused.
  std::string apply(fault::Kind kind, const fault::Value& value, int pid);
  // Puts back what apply() found; nothing where it changed nothing.
  void undo(fault::Kind kind, int pid);
  // The process has ended.
  void forget(int pid);

 private:
  using Key = std::pair<int, fault::Kind>;
  std::string limit(fault::Kind kind, int resource, rlim_t soft, int pid);
  std::string pin(int core, int pid);

  std::map<Key, rlimit> limits_;
  std::map<Key, cpu_set_t> affinity_;
};

// A socket that listens on `port` and never accepts, over IPv4 and IPv6: whoever wants the port
// finds it in use.
Result<ScopedFd> occupy_port(std::uint16_t port);

}  // namespace ddp::os
