// The supervisor: the one place that joins the core's decisions with the system's news. One thread,
// one event loop.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/keeper/keeper.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/run_dir.hpp"

#include <string>

namespace ddp {

// Runs the launch to its end and returns its exit code. Its files are kept in `log_dir`, if
// anywhere. `from_keeper` and `signals` are what os::keep() gives.
int supervise(const Options& options, const os::LaunchResources& place, const os::LogDir& log_dir,
              os::ScopedFd from_keeper, os::ScopedFd signals);

}  // namespace ddp
