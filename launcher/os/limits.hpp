// The launcher's own limits.
#pragma once

#include <sys/resource.h>

#include <optional>

namespace ddp::os {

// Raises the soft limit of open descriptors to the hard one: a launch holds five for each worker,
// and 1,024, the usual soft limit, end at some 200 workers. To be called once, at the start.
void raise_descriptor_limit();

// What it was, for the workers to get back: select() fails above 1,024. Nothing where it was not
// raised.
const std::optional<rlimit>& descriptor_limit_at_start();

}  // namespace ddp::os
