// Real children for the tests of os/: shell scripts, synchronised by pipes, never by time.
#pragma once

#include "launcher/os/fd.hpp"
#include "launcher/os/spawn.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ddp::test {

struct Pipe {
  os::ScopedFd read;
  os::ScopedFd write;
};

inline Pipe make_pipe() {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  return {os::ScopedFd(ends[0]), os::ScopedFd(ends[1])};
}

// Reads until the last writer closes; fails the test when nothing comes for half a minute.
inline std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    pollfd waiting{fd, POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, 30'000) == 1);
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    REQUIRE(count >= 0);
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

// One line, without its newline.
inline std::string read_line(int fd) {
  std::string line;
  char c = 0;
  while (true) {
    pollfd waiting{fd, POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, 30'000) == 1);
    REQUIRE(::read(fd, &c, 1) == 1);
    if (c == '\n') return line;
    line += c;
  }
}

// Whether no process has the other end of the pipe open.
inline bool is_hung_up(int fd) {
  pollfd ended{fd, POLLIN, 0};
  return ::poll(&ended, 1, 0) == 1 && (ended.revents & POLLHUP) != 0;
}

struct Shell {
  int pid = -1;
  os::ScopedFd pidfd;
  os::ScopedFd in;   // its stdin: close to end `read`
  os::ScopedFd out;  // its stdout and stderr
};

inline std::variant<os::Child, core::SpawnError> spawn_raw(
    const std::string& program, std::vector<std::string> arguments, int in, int out, int err,
    std::vector<std::string> environment = {"PATH=/usr/bin:/bin"}) {
  os::SpawnRequest request;
  request.program = program;
  request.arguments = std::move(arguments);
  request.environment = std::move(environment);
  request.stdin_fd = in;
  request.stdout_fd = out;
  request.stderr_fd = err;
  return os::Spawner().spawn(request);
}

// /bin/sh -c script, with pipes at its stdin and stdout.
inline Shell start_shell(const std::string& script) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  auto spawned =
      spawn_raw("/bin/sh", {"-c", script}, in.read.get(), out.write.get(), out.write.get());
  REQUIRE(std::holds_alternative<os::Child>(spawned));
  auto& child = std::get<os::Child>(spawned);
  return {child.pid, std::move(child.pidfd), std::move(in.write), std::move(out.read)};
}

}  // namespace ddp::test
