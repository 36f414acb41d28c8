// A router between forked writers and a pipe that the test reads.
#pragma once

#include "launcher/output/router.hpp"

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ddp::out {

using Clock = std::chrono::steady_clock;
inline constexpr auto kTestDeadline = std::chrono::seconds(60);

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  os::ScopedFd read;
  os::ScopedFd write;
};

// Reads a descriptor until it closes, on a separate thread: the reader of a launcher's stdout.
class Reader {
 public:
  explicit Reader(os::ScopedFd fd) : fd_(std::move(fd)), thread_([this] { run(); }) {}
  ~Reader() {
    if (thread_.joinable()) thread_.join();
  }
  const std::string& text() {
    if (thread_.joinable()) thread_.join();
    return text_;
  }

 private:
  void run() {
    std::vector<char> buffer(65536);
    ssize_t n = 0;
    while ((n = ::read(fd_.get(), buffer.data(), buffer.size())) > 0) {
      text_.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  os::ScopedFd fd_;
  std::string text_;
  std::thread thread_;
};

inline void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) ::_exit(9);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// A worker: `body` runs in a child whose stdout and stderr are the router's streams.
inline pid_t spawn_writer(Router& router, int generation, int local_rank,
                          const std::function<void()>& body) {
  auto streams = router.open(generation, local_rank);
  REQUIRE_MESSAGE(streams, (streams ? "" : streams.error()));
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(streams->out.get(), STDOUT_FILENO);
    ::dup2(streams->err.get(), STDERR_FILENO);
    ::close_range(3, ~0U, 0);
    body();
    ::_exit(0);
  }
  return pid;
}

inline int reap(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

// Runs the event loop until the attempt is drained; fails the test after kTestDeadline.
inline void drain(boost::asio::io_context& io, Router& router,
                  std::chrono::milliseconds wait = kTestDeadline) {
  bool done = false;
  router.end_generation(Clock::now() + wait, [&] { done = true; });
  const auto deadline = Clock::now() + kTestDeadline + std::chrono::seconds(5);
  io.restart();
  while (!done && Clock::now() < deadline) {
    io.run_one_until(deadline);
    if (io.stopped()) io.restart();
  }
  REQUIRE(done);
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ddp-out-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace ddp::out
