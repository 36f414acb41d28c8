// Whether the kernel's out-of-memory killer killed a process.
#pragma once

#include <cstdint>
#include <optional>

namespace ddp::os {

// How often it killed a process of this cgroup (memory.events in v2, memory.oom_control in v1) or,
// where the cgroup has no counter, of the whole machine (/proc/vmstat). When the count rises and a
// worker died by a SIGKILL that ddp-launch did not send, the cause is reported as out of memory.
std::optional<std::uint64_t> oom_kills();

}  // namespace ddp::os
