// The launcher's own limits.
#pragma once

#include <sys/resource.h>

#include <optional>

namespace ddp::os {

// Raises the soft limit on open descriptors to the hard limit. A launch holds five for each worker,
// so the usual soft limit of 1,024 allows about 200 workers. Call once, at the start.
void raise_descriptor_limit();

// The limit before that, which the workers get: select() fails above 1,024. nullopt where it was
// not raised.
const std::optional<rlimit>& descriptor_limit_at_start();

// The soft limit on open descriptors that the workers get.
rlim_t worker_descriptor_limit();

}  // namespace ddp::os
