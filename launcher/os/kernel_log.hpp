// The kernel's log, as dmesg shows it.
#pragma once

#include "launcher/core/types.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::os {

// Its lines since `since`, without level and time, from its last 16 KiB: one system call, which
// never waits. Empty where the system does not permit it (kernel.dmesg_restrict) or lines have no
// time. The kernel's time drifts from the monotonic clock, so lines up to 2 s older may be among
// them, and after weeks of uptime some may be missing.
std::vector<std::string> kernel_log_since(core::TimePoint since);

// The lines of `log` ("<6>[42687.675884] text") from the time `since` on.
std::vector<std::string> kernel_lines(std::string_view log, std::chrono::microseconds since);

}  // namespace ddp::os
