// What is said of the user's own checks (--check).
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/check.hpp"
#include "launcher/core/ranks.hpp"

#include <string>

namespace ddp {

// For events.jsonl: "pass", "warn", "retry", "refuse", or "stopped" where the launcher ended it.
std::string check_outcome(const core::CheckEnd& end);
// "exited with code 30"; why it was not started; empty where the launcher ended it.
std::string check_end(const core::CheckEnd& end);

// A line and the check's own last lines, each ending in a newline; empty where it passed or was
// ended.
std::string check_text(const core::CheckEnd& end, core::GlobalRank first_rank);

// Why no attempt follows: a line with its newline.
std::string checks_stop_text(const core::ChecksStop& stop, core::GlobalRank first_rank);

}  // namespace ddp
