#include "launcher/os/descendants.hpp"

#include "launcher/os/mechanism.hpp"
#include "launcher/os/proc.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace ddp::os {

bool become_subreaper() {
  return is_off(Mechanism::subreaper) || ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

bool reap_orphans(const std::function<bool(int pid)>& spare) {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == -1) {
      if (errno == EINTR) continue;
      return errno != ECHILD;
    }
    if (info.si_pid == 0 || spare(info.si_pid)) return true;
    ::waitpid(info.si_pid, nullptr, WNOHANG | __WALL);
  }
}

void kill_children() {
  if (is_off(Mechanism::sweep)) return;
  for (const int pid : own_children()) {
    if (pid > 1) ::kill(pid, SIGKILL);  // a zombie does not mind
  }
}

std::vector<core::Survivor> living_children() {
  std::vector<core::Survivor> living;
  for (const int pid : own_children()) {
    const auto info = read_process(pid);
    if (!info || info->state == 'Z' || info->state == 'X') continue;
    living.push_back({.pid = pid,
                      .state = info->state,
                      .wait_channel = wait_channel(pid),
                      .command = info->command});
  }
  return living;
}

namespace {

// `each_round` before every wait.
bool reap_until(std::chrono::milliseconds timeout, const std::function<void()>& each_round) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  while (reap_orphans([](int) { return false; })) {
    each_round();
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return false;
    // SIGCHLD wakes us at each death; the bound covers one that was pending already.
    const auto left =
        std::min<std::chrono::nanoseconds>(deadline - now, std::chrono::milliseconds(20));
    const timespec wait{0, static_cast<long>(left.count())};
    ::sigtimedwait(&child, nullptr, &wait);
  }
  return true;
}

}  // namespace

bool reap_all(std::chrono::milliseconds timeout) {
  return reap_until(timeout, [] {});
}

std::vector<core::Survivor> kill_and_reap_all(std::chrono::milliseconds timeout) {
  if (reap_until(timeout, kill_children)) return {};
  return living_children();
}

}  // namespace ddp::os
