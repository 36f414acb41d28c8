#include "launcher/hangs/debugger_start.hpp"

#include "common/env_names.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/spawn.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace ddp {
namespace {

// The launcher's own environment, for a debugger: one that asks the network for symbols would spend
// all the time on it. Without the campaign's file, which is the run's own.
std::vector<std::string> command_environment() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view entry = *variable;
    const auto name = entry.substr(0, entry.find('='));
    if (name != "DEBUGINFOD_URLS" && name != env::kCampaignEvents) environment.emplace_back(entry);
  }
  return environment;
}

}  // namespace

DebuggerStart start_debugger(Workers& workers,
                             const std::vector<std::vector<std::string>>& commands, int output,
                             const std::function<void(core::ExitStatus)>& ended) {
  DebuggerStart start;
  const os::ScopedFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid()) {
    start.refused.emplace_back("/dev/null", errno);
    return start;
  }
  for (const auto& command : commands) {
    os::SpawnRequest request;
    request.program = command.front();
    request.arguments.assign(command.begin() + 1, command.end());
    request.environment = command_environment();
    request.stdin_fd = null.get();
    request.stdout_fd = output;
    request.stderr_fd = output;
    const auto failed = workers.spawn_helper(std::move(request), ended);
    if (!failed) {
      start.started = true;
      break;
    }
    start.refused.emplace_back(command.front(), failed->error_number);
  }
  return start;
}

}  // namespace ddp
