#include "launcher/os/child_output.hpp"

#include "launcher/os/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

// Waits until `fd` is readable or closed, or a stop request is pending.
Woken wait_for(int fd, int stop_requests, Clock::time_point deadline) {
  pollfd polls[] = {{fd, POLLIN, 0}, {stop_requests, POLLIN, 0}};  // poll passes -1 over
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    const int ready = ::poll(polls, 2, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Woken::late;
    return polls[0].revents != 0 ? Woken::ready : Woken::stopped;
  }
}

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
  int ends[2];
  if (!null.valid() || ::pipe2(ends, O_CLOEXEC) != 0)
    return {.error = {core::SpawnStage::setup, errno}};
  const ScopedFd out(ends[0]);
  ScopedFd into(ends[1]);
  request.stdin_fd = null.get();
  request.stdout_fd = into.get();
  request.stderr_fd = with_stderr ? into.get() : null.get();
  auto spawned = Spawner().spawn(request);
  into.reset();
  if (const auto* error = std::get_if<core::SpawnError>(&spawned)) return {.error = *error};
  const Child& child = std::get<Child>(spawned);

  ChildOutput output;
  Woken woken = Woken::ready;
  for (bool ended = false; !ended && output.text.size() < kMostOutput;) {
    woken = wait_for(out.get(), stop_requests.get(), deadline);
    if (woken != Woken::ready) break;
    char buffer[4096];
    const ssize_t count = ::read(out.get(), buffer, sizeof buffer);
    if (count > 0) output.text.append(buffer, static_cast<std::size_t>(count));
    ended = count == 0 || (count < 0 && errno != EINTR);
  }
  if (woken == Woken::ready) woken = wait_for(child.pidfd.get(), stop_requests.get(), deadline);
  if (woken != Woken::ready) {
    ::kill(child.pid, SIGKILL);
    // A child that does not exit even so is left to the keeper, which kills all processes below it.
    wait_for(child.pidfd.get(), -1, Clock::now() + kKillLimit);
  }
  output.code = exit_code(child);
  output.end = woken == Woken::ready     ? End::exited
               : woken == Woken::stopped ? End::stopped
                                         : End::late;
  return output;
}

}  // namespace ddp::os
