#include "launcher/os/pty.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

namespace ddp::os {
namespace {

Error failed(const char* step) {
  const int reason = errno;
  std::string text = std::string(step) + ": " + std::strerror(reason);
  if (reason == ENOSPC) text += " (all that kernel.pty.max allows are in use)";
  errno = reason;  // the caller's exit code depends on it
  return Error{text};
}

unsigned short as_short(int count) {
  return static_cast<unsigned short>(
      std::clamp<int>(count, 1, std::numeric_limits<unsigned short>::max()));
}

}  // namespace

std::optional<WindowSize> window_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return std::nullopt;
  return WindowSize{size.ws_col, size.ws_row};
}

bool in_foreground(int terminal, pid_t group) {
  const pid_t foreground = ::tcgetpgrp(terminal);
  return foreground < 0 || foreground == group;
}

Result<Pty> open_pty(WindowSize size) {
  Pty pty;
  pty.master = ScopedFd(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!pty.master.valid()) return failed("/dev/ptmx");
  int locked = 0;
  if (::ioctl(pty.master.get(), TIOCSPTLCK, &locked) != 0) return failed("TIOCSPTLCK");
  // Through the master, not by name: /dev/pts may be another mount than the master's.
  pty.slave = ScopedFd(::ioctl(pty.master.get(), TIOCGPTPEER, O_WRONLY | O_NOCTTY | O_CLOEXEC));
  if (!pty.slave.valid()) return failed("TIOCGPTPEER");
  termios mode{};
  if (::tcgetattr(pty.slave.get(), &mode) != 0) return failed("tcgetattr");
  ::cfmakeraw(&mode);
  if (::tcsetattr(pty.slave.get(), TCSANOW, &mode) != 0) return failed("tcsetattr");
  winsize window{};
  window.ws_col = as_short(size.columns);
  window.ws_row = as_short(size.rows);
  if (::ioctl(pty.master.get(), TIOCSWINSZ, &window) != 0) return failed("TIOCSWINSZ");
  return pty;
}

}  // namespace ddp::os
