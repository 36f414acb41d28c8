// Starts a debugger next to the workers.
#pragma once

#include "launcher/core/types.hpp"
#include "launcher/workers/workers.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ddp {

struct DebuggerStart {
  bool started = false;
  // Those that were tried before, and the system's reason.
  std::vector<std::pair<std::string, int>> refused;
};

// Starts the first of `commands` (hang_commands) that the system can start; it writes to `output`,
// which stays the caller's. `ended` is called as Workers::spawn_helper() has it.
DebuggerStart start_debugger(Workers& workers,
                             const std::vector<std::vector<std::string>>& commands, int output,
                             const std::function<void(core::ExitStatus)>& ended);

}  // namespace ddp
