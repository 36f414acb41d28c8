#include "launcher/campaign/run_process.hpp"

#include "common/env_names.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/os/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace ddp::campaign {
namespace {

// The whole file, whatever its offset.
std::string read_all(const os::ScopedFd& file) {
  std::string text;
  char bytes[16384];
  for (;;) {
    const ssize_t count = ::pread(file.get(), bytes, sizeof bytes, static_cast<off_t>(text.size()));
    if (count == -1 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(bytes, static_cast<std::size_t>(count));
  }
}

}  // namespace

std::string output_path(const PlannedRun& run, const RunnerConfig& config) {
  return run_dir(run, config.dir) + "/output.log";
}

std::string RunProcess::start(const PlannedRun& run, std::function<void(core::ExitStatus)> ended) {
  std::error_code failed;
  const std::string work = work_dir(run, config_.dir);
  std::filesystem::create_directories(work, failed);
  if (failed) return work + ": " + failed.message();
  const std::string output_file = output_path(run, config_);
  const os::ScopedFd output(
      ::open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!output.valid()) return output_file + ": " + std::strerror(errno);
  events_ = os::ScopedFd(::memfd_create("events", MFD_CLOEXEC));
  if (!events_.valid()) return std::string("memory for its events: ") + std::strerror(errno);
  ::setenv(env::kCampaignEvents, campaign_file(events_.get()).c_str(), 1);
  os::SpawnRequest request;
  request.program = config_.program;
  request.arguments = run_arguments(run, config_.dir);
  for (char** variable = environ; *variable != nullptr; ++variable)
    request.environment.emplace_back(*variable);
  request.stdin_fd = dev_null_;
  request.stdout_fd = output.get();
  request.stderr_fd = output.get();
  auto spawned = os::Spawner().spawn(request);
  if (const auto* error = std::get_if<core::SpawnError>(&spawned))
    return config_.program + ": " + std::strerror(error->error_number);
  auto& child = std::get<os::Child>(spawned);
  watcher_.emplace(io_, child.pid, std::move(child.pidfd), std::move(ended));
  return {};
}

void RunProcess::signal(int signal) const {
  if (watcher_ && !watcher_->reaped()) ::kill(watcher_->pid(), signal);
}

void RunProcess::wait_stopped() const {
  for (int i = 0; i < 100 && watcher_ && !watcher_->reaped(); ++i) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(watcher_->pid()), &info,
                 WSTOPPED | WEXITED | WNOHANG | WNOWAIT) == -1 ||
        info.si_pid != 0)
      return;
    ::poll(nullptr, 0, 10);
  }
}

std::string RunProcess::take_events() {
  watcher_.reset();
  return read_all(std::exchange(events_, os::ScopedFd()));
}

}  // namespace ddp::campaign
