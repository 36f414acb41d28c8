#include "launcher/os/signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <cstring>

namespace ddp::os {
namespace {

constexpr int kRead[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGCHLD,
                         SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2};

std::vector<int>& ignored() {
  static std::vector<int> signals;
  return signals;
}

bool hangup_ignored = false;  // at the start: nohup

sigset_t read_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kRead) sigaddset(&set, signal);
  // A blocked signal is queued and read even if it is ignored.
  if (hangup_ignored) sigdelset(&set, SIGHUP);
  return set;
}

}  // namespace

void take_over_signals() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == -1 || action.sa_handler != SIG_IGN) continue;
    if (signal == SIGHUP) {
      hangup_ignored = true;
    } else {
      ignored().push_back(signal);
    }
  }
  ::signal(SIGCHLD, SIG_DFL);
  // A write that fails is reported as an error (EPIPE; EFBIG for ulimit -f) and must not kill the
  // launcher.
  for (const int signal : {SIGPIPE, SIGXFSZ}) {
    ::signal(signal, SIG_IGN);
    ignored().push_back(signal);
  }
  sigset_t set = read_set();
  // Otherwise a terminal with `stty tostop` would stop a launcher that writes in the background,
  // and all supervision with it.
  sigaddset(&set, SIGTTOU);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
}

const std::vector<int>& signals_ignored_at_start() { return ignored(); }

ScopedFd open_signal_fd() {
  const sigset_t set = read_set();
  return ScopedFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::optional<int> pending_stop_request() {
  sigset_t pending;
  if (::sigpending(&pending) != 0) return std::nullopt;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    if (::sigismember(&pending, signal) == 1) return signal;
  }
  return std::nullopt;
}

bool signal_group(int pid, int signal) {
  if (pid <= 1) {
    errno = EINVAL;
    return false;
  }
  return ::kill(-pid, signal) == 0;
}

}  // namespace ddp::os
