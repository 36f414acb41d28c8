#include "launcher/os/descendants.hpp"

#include "launcher/os/mechanism.hpp"
#include "launcher/os/proc.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace ddp::os {
namespace {

void kill_each(const std::vector<int>& pids) {
  for (const int pid : pids) {
    if (pid > 1) ::kill(pid, SIGKILL);  // no effect on a zombie
  }
}

int pid_apart = 0;

std::vector<int> children_of_attempt() {
  auto children = own_children();
  if (pid_apart != 0) std::erase(children, pid_apart);
  return children;
}

}  // namespace

void set_apart(int pid) { pid_apart = pid; }

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
    if (info.si_pid == 0) return pid_apart == 0 || !children_of_attempt().empty();
    if (info.si_pid == pid_apart || spare(info.si_pid)) return true;
    ::waitpid(info.si_pid, nullptr, WNOHANG | __WALL);
  }
}

void kill_children() {
  if (!is_off(Mechanism::sweep)) kill_each(children_of_attempt());
}

std::vector<core::Survivor> living_children() {
  std::vector<core::Survivor> remaining;
  for (const int pid : children_of_attempt()) {
    const auto info = read_process(pid);
    if (!info || info->state == 'X' || (info->state == 'Z' && !is_traced(pid))) continue;
    remaining.push_back({.pid = pid,
                         .state = info->state,
                         .wait_channel = wait_channel(pid),
                         .command = info->command});
  }
  return remaining;
}

std::chrono::milliseconds final_wait() {
  return is_off(Mechanism::patience) ? std::chrono::milliseconds(500) : std::chrono::seconds(30);
}

namespace {

// Calls `each_round` before every wait; where that returns true, nothing is left to wait for.
bool reap_until(std::chrono::milliseconds timeout, const std::function<bool()>& each_round) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  while (reap_orphans([](int) { return false; })) {
    if (each_round()) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return false;
    // SIGCHLD ends the wait at each exit; the bound covers an exit whose SIGCHLD was consumed
    // before.
    const auto left =
        std::min<std::chrono::nanoseconds>(deadline - now, std::chrono::milliseconds(20));
    const timespec wait{0, static_cast<long>(left.count())};
    ::sigtimedwait(&child, nullptr, &wait);
  }
  return true;
}

}  // namespace

bool reap_all(std::chrono::milliseconds timeout) {
  return reap_until(timeout, [] { return false; });
}

std::vector<core::Survivor> kill_and_reap_all(std::chrono::milliseconds timeout,
                                              const std::vector<int>& spared) {
  const auto is_spared = [&](int pid) {
    return std::find(spared.begin(), spared.end(), pid) != spared.end();
  };
  const bool gone = reap_until(timeout, [&] {
    auto children = own_children();
    std::erase_if(children, is_spared);
    if (!is_off(Mechanism::sweep)) kill_each(children);
    return !spared.empty() && children.empty();
  });
  if (gone) return {};
  auto remaining = living_children();
  std::erase_if(remaining, [&](const auto& one) { return is_spared(one.pid); });
  return remaining;
}

}  // namespace ddp::os
