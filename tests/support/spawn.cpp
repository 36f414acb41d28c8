#include "tests/support/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace ddp::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Each end at `lowest` or above, so that dup2 does not overwrite it.
std::array<int, 2> make_pipe(int lowest = 3) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
  for (int& end : ends) {
    if (end >= lowest) continue;
    const int moved = fcntl(end, F_DUPFD_CLOEXEC, lowest);
    if (moved < 0) fail("F_DUPFD_CLOEXEC");
    close(end);
    end = moved;
  }
  return ends;
}

struct Ends {
  int child_in = -1;
  int child_out = -1;
  int child_err = -1;
  Spawned parent;
};

Ends open_ends(Stdio stdio) {
  Ends ends;
  if (stdio == Stdio::terminal) {
    int terminal = -1;
    int child = -1;
    // Wide enough that the program wraps no line of a test.
    const winsize size{.ws_row = 50, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
    if (openpty(&terminal, &child, nullptr, nullptr, &size) != 0) fail("openpty");
    fcntl(terminal, F_SETFD, FD_CLOEXEC);
    fcntl(child, F_SETFD, FD_CLOEXEC);
    ends.child_in = ends.child_out = ends.child_err = child;
    ends.parent.in = terminal;
    ends.parent.out = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
    fcntl(terminal, F_SETFL, O_NONBLOCK);
    return ends;
  }
  if (stdio == Stdio::pipes) {
    const auto in = make_pipe();
    ends.child_in = in[0];
    ends.parent.in = in[1];
  } else {
    ends.child_in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (ends.child_in < 0) fail("/dev/null");
  }
  const auto out = make_pipe();
  const auto err = make_pipe();
  ends.child_out = out[1];
  ends.child_err = err[1];
  ends.parent.out = out[0];
  ends.parent.err = err[0];
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  return ends;
}

void set_signals(const Start& start) {
  for (int signal = 1; signal < NSIG; ++signal) {
    const bool ignored =
        std::find(start.ignored.begin(), start.ignored.end(), signal) != start.ignored.end();
    struct sigaction action {};
    action.sa_handler = ignored ? SIG_IGN : SIG_DFL;
    sigaction(signal, &action, nullptr);  // refused for SIGKILL and SIGSTOP, as it must be
  }
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : start.blocked) sigaddset(&mask, signal);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
}

// Returns only on failure, with errno set.
void become(const Start& start, const Ends& ends, int failure, char* const* argv,
            char* const* envp) {
  if (start.stdio == Stdio::terminal) {
    if (setsid() < 0 || ioctl(ends.child_in, TIOCSCTTY, 0) != 0) return;
  } else if (start.new_group && setpgid(0, 0) != 0) {
    return;
  }
  if (!start.directory.empty() && chdir(start.directory.c_str()) != 0) return;
  if (dup2(ends.child_in, 0) < 0 || dup2(ends.child_out, 1) < 0 || dup2(ends.child_err, 2) < 0) {
    return;
  }
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  for (const int fd : start.extra_fds) {
    if (fd == failure) {
      errno = EBUSY;
      return;
    }
    if (dup2(ends.child_in, fd) < 0) return;
  }
  for (const int fd : start.closed_fds) close(fd);
  set_signals(start);
  execvpe(argv[0], argv, envp);
}

}  // namespace

Spawned spawn(const Start& start, const std::string& tag) {
  std::vector<std::string> variables{std::string(kTagVariable) + "=" + tag};
  for (const auto& [name, value] : start.env) variables.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (auto& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);
  std::vector<std::string> arguments = start.argv;
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const Ends ends = open_ends(start.stdio);
  const auto failure = make_pipe(500);  // closed by a successful exec, carries errno otherwise
  const int pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    become(start, ends, failure[1], argv.data(), envp.data());
    const int reason = errno;
    [[maybe_unused]] const auto written = write(failure[1], &reason, sizeof reason);
    _exit(127);
  }
  close(failure[1]);
  close(ends.child_in);
  if (ends.child_out != ends.child_in) {
    close(ends.child_out);
    close(ends.child_err);
  }
  int reason = 0;
  const auto got = read(failure[0], &reason, sizeof reason);
  close(failure[0]);
  if (got == static_cast<ssize_t>(sizeof reason)) {
    waitpid(pid, nullptr, 0);
    for (const int fd : {ends.parent.in, ends.parent.out, ends.parent.err}) {
      if (fd >= 0) close(fd);
    }
    errno = reason;
    fail("start " + start.argv.front());
  }
  Spawned spawned = ends.parent;
  spawned.pid = pid;
  return spawned;
}

}  // namespace ddp::test
