// Settings as given -> Options, each value and each combination checked.
#pragma once

#include "launcher/cli/flags.hpp"
#include "launcher/cli/options.hpp"

namespace ddp {

// `settings` is command line, environment and file already merged. The error is one line that names
// the flag, its value and what is allowed.
Result<Options> check_options(const Settings& settings, std::vector<std::string> command,
                              const Machine& machine);

// The part of it that concerns workers and devices: nproc, device_type, devices and
// virtual_local_rank of `options`.
std::optional<Error> check_workers(const Settings& settings, const Machine& machine,
                                   Options& options);

// The part of it that concerns restarts: group.restart of `options`.
std::optional<Error> check_restarts(const Settings& settings, Options& options);

// The part of it that concerns how a group ends: the timeouts, stop signal, early exits and exit
// code of `options`.group, and stop_scope.
std::optional<Error> check_shutdown(const Settings& settings, Options& options);

// The part that concerns faults: plan and junit of `options`, whose ranks and devices are checked.
std::optional<Error> check_faults(const Settings& settings, Options& options);

// The part of it that concerns hangs: hang, on_hang, hang_signal, straggler and
// group.evidence_timeout of `options`.
std::optional<Error> check_hangs(const Settings& settings, Options& options);

// Whether a JUnit file can be written there, as far as it is plain before the run: at the end of a
// long one is late.
std::optional<Error> check_junit(const Setting& path);

}  // namespace ddp
