// What --preflight prints.
#pragma once

#include "launcher/core/finding.hpp"

#include <span>
#include <string>

namespace ddp {

// A table that fits into 80 columns: a row for each finding, with what to do below those that are
// not ok; then a line that counts them. Text of words longer than a column is cut over lines.
std::string preflight_table(std::span<const core::Finding> findings);

// "shared memory: 64 MiB free in /dev/shm, expected 128 MiB: …; <fix>"
std::string preflight_line(const core::Finding& finding);

// The exit code of --preflight: 0, or 71 where one finding refuses the launch.
int preflight_exit_code(std::span<const core::Finding> findings);

}  // namespace ddp
