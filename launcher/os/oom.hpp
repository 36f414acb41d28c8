// Whether the kernel's out-of-memory killer has been at work.
#pragma once

#include <cstdint>
#include <optional>

namespace ddp::os {

// How often it killed something of our cgroup (memory.events of v2, memory.oom_control of v1), or
// of the whole machine
// (/proc/vmstat) where the cgroup does not tell. A rise across a SIGKILL that nobody sent is what
// names it.
std::optional<std::uint64_t> oom_kills();

}  // namespace ddp::os
