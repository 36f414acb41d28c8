// For tests only: safety mechanisms that can be switched off, so that a test sees the leak that
// each of them prevents.
//
// The switch stays in installed binaries, because the tests run the binary that is shipped: a build
// without the switch would be one that they never saw. It weakens only a launch whose own
// environment has DDP_LAUNCH_TEST_OFF, that is, a launch of a user who could as well kill it.
#pragma once

namespace ddp::os {

enum class Mechanism {
  subreaper,     // the launcher adopts orphans
  death_signal,  // a worker gets SIGKILL when the supervisor dies
  sweep,         // processes left from an attempt are killed one by one
  cgroup,        // and through the launch's cgroup
  apart,         // the supervisor has its own process group: killing the keeper's spares it
  hearing,       // the supervisor reads the signals that the keeper passes on
  patience,      // off: waits 0.5 s, not 30 s, for a process to exit after SIGKILL
  draining,      // the output waits for a reader that takes nothing
  asking,        // off: waits 0.5 s, not 5 s, for a supervisor that does not answer
};

// Whether DDP_LAUNCH_TEST_OFF, a comma-separated list, names the mechanism: subreaper,
// death-signal, sweep, cgroup, apart, hearing, patience, draining, asking.
bool is_off(Mechanism mechanism);

}  // namespace ddp::os
