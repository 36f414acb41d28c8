// A launch in the process that is its supervisor: the event loop, the real workers, the sockets and
// signals, around a Supervisor that joins them. One thread.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/keeper/keeper.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/run_dir.hpp"

namespace ddp {

// Runs the launch to its end and returns its exit code. Its files are kept in `log_dir`, if
// anywhere. `from_keeper` and `signals` are what os::keep() gives.
int supervise(const Options& options, const os::LaunchResources& place, const os::LogDir& log_dir,
              os::ScopedFd from_keeper, os::ScopedFd signals);

}  // namespace ddp
