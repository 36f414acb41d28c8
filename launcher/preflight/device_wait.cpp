#include "launcher/preflight/device_wait.hpp"

#include "launcher/os/proc.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace ddp {
namespace {

// A report takes tens of milliseconds, in which the driver does not release memory faster.
constexpr std::chrono::milliseconds kInterval{100};
constexpr off_t kMostRead = 1 << 20;

bool exists(int pid) { return ::kill(pid, 0) == 0 || errno == EPERM; }

std::string content_of(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0 || info.st_size > kMostRead) return {};
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), 0);
  return count == info.st_size ? text : std::string();
}

}  // namespace

std::vector<core::DeviceHold> holds_of(const DeviceReport& report,
                                       const std::map<int, int>& started, bool pids_are_ours,
                                       const std::function<bool(int pid)>& exists) {
  std::vector<core::DeviceHold> holds;
  for (const auto& device : report) {
    core::DeviceHold hold{.device = device.index};
    for (const auto& user : device.users) {
      const auto known = started.find(user.pid);
      if (known == started.end() && (!pids_are_ours || exists(user.pid))) continue;
      hold.holders += (hold.holders.empty() ? "pid " : ", pid ") + std::to_string(user.pid);
      if (known != started.end()) hold.holders += " (rank " + std::to_string(known->second) + ")";
      hold.bytes += user.bytes;
    }
    if (!hold.holders.empty()) holds.push_back(std::move(hold));
  }
  return holds;
}

DeviceWait::DeviceWait(os::Loop& loop, Workers& workers, core::RankGroup ranks, std::string program,
                       core::Publish publish)
    : loop_(loop),
      workers_(workers),
      ranks_(ranks),
      program_(std::move(program)),
      publish_(std::move(publish)),
      again_(loop.make_timer()) {}

void DeviceWait::apply(const core::WorkerStarted& started, core::TimePoint) {
  started_[started.pid] = ranks_.global(started.local_rank).value;
}

void DeviceWait::run(const core::AwaitDevices& await) {
  waiting_ = true;
  generation_ = await.generation;
  began_ = loop_.now();
  holds_.clear();
  // Not within the step of the group that asks.
  loop_.post([this] {
    if (waiting_ && !output_.valid()) ask();
  });
}

void DeviceWait::ask() {
  const os::ScopedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  output_ = os::ScopedFd(::memfd_create("ddp-launch devices", MFD_CLOEXEC));
  if (!null.valid() || !output_.valid()) return finish();
  os::SpawnRequest request;
  request.program = program_;
  for (char** variable = environ; *variable != nullptr; ++variable)
    request.environment.emplace_back(*variable);
  request.stdin_fd = null.get();
  request.stdout_fd = output_.get();
  request.stderr_fd = null.get();
  if (workers_.spawn_helper(std::move(request),
                            [this](core::ExitStatus status) { answered(status); }))
    finish();
}

void DeviceWait::answered(core::ExitStatus status) {
  if (!waiting_) return;
  const auto file = std::exchange(output_, {});
  const auto report = parse_device_report(content_of(file.get()));
  const auto* const exited = std::get_if<core::Exited>(&status);
  if (exited == nullptr || exited->code != 0 || !report) return finish();
  const auto waited = loop_.now() - began_;
  for (auto& [device, hold] : holds_) hold.released = true;
  bool held = false;
  for (auto& hold : holds_of(*report, started_, os::in_first_pid_namespace(), exists)) {
    held = true;
    hold.waited = waited;
    holds_[hold.device] = std::move(hold);
  }
  if (!held) return finish();
  again_->at(loop_.now() + kInterval, [this] { ask(); });
}

void DeviceWait::give_up() {
  if (!waiting_) return;
  for (auto& [device, hold] : holds_)
    if (!hold.released) hold.waited = loop_.now() - began_;
  workers_.kill_helpers();
  finish();
}

void DeviceWait::end() {
  waiting_ = false;
  again_->cancel();
  output_.reset();
}

void DeviceWait::finish() {
  end();
  core::DevicesReleased released{generation_, {}};
  for (auto& [device, hold] : holds_) released.holds.push_back(std::move(hold));
  holds_.clear();
  publish_(released);
}

}  // namespace ddp
