// For tests alone: containment mechanisms that can be switched off, so that a test sees the leak
// each of them prevents.
#pragma once

namespace ddp::os {

enum class Mechanism {
  subreaper,     // orphans come to the launcher
  death_signal,  // a worker dies with the supervisor
  sweep,         // what is left of a generation is killed one by one
  cgroup,        // and through the launch's cgroup
  apart,         // what ends the keeper's process group leaves the supervisor
  hearing,       // the supervisor reads what the keeper tells it
  patience,      // what SIGKILL does not end at once is waited for
  draining,      // so is a reader that takes nothing
  asking,        // so is a supervisor that does not answer
};

// Named in DDP_LAUNCH_TEST_OFF, a comma-separated list: subreaper, death-signal, sweep, cgroup,
// apart, hearing, patience, draining, asking.
bool is_off(Mechanism mechanism);

}  // namespace ddp::os
