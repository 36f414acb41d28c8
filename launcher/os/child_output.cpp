#include "launcher/os/child_output.hpp"

#include "launcher/os/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

namespace ddp::os {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using End = ChildOutput::End;

constexpr std::size_t kMostOutput = std::size_t{1} << 20;
constexpr milliseconds kKillLimit{1000};

enum class Woken { ready, stopped, late };

// Waits until one of `fds` is readable or closed, or a stop request is pending. Poll passes -1
// over.
Woken wait_for(std::array<int, 2> fds, int stop_requests, Clock::time_point deadline) {
  pollfd polls[] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}, {stop_requests, POLLIN, 0}};
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    const int ready = ::poll(polls, 3, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Woken::late;
    return polls[0].revents != 0 || polls[1].revents != 0 ? Woken::ready : Woken::stopped;
  }
}

// The reading end of a pipe, which does not block, until the last writer has closed the other one.
class Stream {
 public:
  explicit Stream(std::string& text) : text_(text) {}

  // Returns the writing end. Not valid, with errno set: there is no pipe.
  ScopedFd open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return {};
    end_ = ScopedFd(ends[0]);
    ScopedFd into(ends[1]);
    if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return {};
    return into;
  }

  int fd() const { return end_.get(); }  // -1 after the end

  // Keeps the first kMostOutput bytes.
  void read() {
    if (!end_.valid()) return;
    char buffer[4096];
    const ssize_t count = ::read(end_.get(), buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
      end_.reset();
      return;
    }
    const auto left = kMostOutput - std::min(text_.size(), kMostOutput);
    text_.append(buffer, std::min(static_cast<std::size_t>(count), left));
  }

 private:
  std::string& text_;
  ScopedFd end_;
};

ScopedFd open_stop_requests() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  return ScopedFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Reaps a child that has exited and returns its exit code. nullopt where it has not exited, or was
// killed.
std::optional<int> exit_code(const Child& child) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED | WNOHANG) == -1) {
    if (errno != EINTR) return std::nullopt;
  }
  if (info.si_pid == 0 || info.si_code != CLD_EXITED) return std::nullopt;
  return info.si_status;
}

}  // namespace

ChildOutput run_and_read(SpawnRequest request, milliseconds limit, bool with_stderr) {
  const auto deadline = Clock::now() + limit;
  const ScopedFd stop_requests = open_stop_requests();
  const ScopedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ChildOutput output;
  Stream out(output.text);
  Stream errors(output.errors);
  const auto failed = [] { return ChildOutput{.error = {core::SpawnStage::setup, errno}}; };
  if (!null.valid()) return failed();
  ScopedFd into_out = out.open();
  if (!into_out.valid()) return failed();
  ScopedFd into_errors;
  if (with_stderr) {
    into_errors = errors.open();
    if (!into_errors.valid()) return failed();
  }
  request.stdin_fd = null.get();
  request.stdout_fd = into_out.get();
  request.stderr_fd = with_stderr ? into_errors.get() : null.get();
  auto spawned = Spawner().spawn(request);
  into_out.reset();
  into_errors.reset();
  if (const auto* error = std::get_if<core::SpawnError>(&spawned)) return {.error = *error};
  const Child& child = std::get<Child>(spawned);

  Woken woken = Woken::ready;
  while (woken == Woken::ready && (out.fd() != -1 || errors.fd() != -1)) {
    woken = wait_for({out.fd(), errors.fd()}, stop_requests.get(), deadline);
    if (woken != Woken::ready) break;
    out.read();
    errors.read();
  }
  if (woken == Woken::ready)
    woken = wait_for({child.pidfd.get(), -1}, stop_requests.get(), deadline);
  if (woken != Woken::ready) {
    ::kill(child.pid, SIGKILL);
    // A child that does not exit even so is left to the keeper, which kills all processes below it.
    wait_for({child.pidfd.get(), -1}, -1, Clock::now() + kKillLimit);
  }
  output.code = exit_code(child);
  output.end = woken == Woken::ready     ? End::exited
               : woken == Woken::stopped ? End::stopped
                                         : End::late;
  return output;
}

std::string program_next_to_this(const std::string& name) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return (self.parent_path() / name).string();
}

}  // namespace ddp::os
