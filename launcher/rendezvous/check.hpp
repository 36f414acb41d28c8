// What can be known about the rendezvous before anything starts: whether the name of --master-addr
// resolves, whether it is this machine where rank 0 runs, and whether its port is free.
#pragma once

#include "launcher/cli/flags.hpp"
#include "launcher/cli/options.hpp"

#include <optional>

namespace ddp {

// A refusal: exit code 2 for a name that does not resolve, 71 for a port that is in use. What may
// be legitimate all the same becomes one of options.warnings. `settings` says where the values came
// from. Waits for a name that is slow to resolve, at most 3 s, and for nothing else.
std::optional<ExitNow> check_rendezvous(const Settings& settings, const Network& network,
                                        Options& options);

}  // namespace ddp
