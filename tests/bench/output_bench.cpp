// How fast lines go through the router alone: forked writers that write 64 KiB at a time, a reader
// that counts. Prints million lines a second. usage: output_bench [ranks] [lines per rank]
#include "launcher/output/router.hpp"

#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

void write_lines(int rank, int count) {
  std::string block;
  for (int i = 0; i < count; ++i) {
    block += "rank " + std::to_string(rank) + " line " + std::to_string(i) + "\n";
    if (block.size() < 65536 && i + 1 < count) continue;
    for (std::size_t at = 0; at < block.size();) {
      const ssize_t n = ::write(STDOUT_FILENO, block.data() + at, block.size() - at);
      if (n < 0) ::_exit(1);
      at += static_cast<std::size_t>(n);
    }
    block.clear();
  }
}

long count_lines(int fd) {
  std::vector<char> buffer(1 << 16);
  long lines = 0;
  ssize_t n = 0;
  while ((n = ::read(fd, buffer.data(), buffer.size())) > 0) {
    lines += std::count(buffer.data(), buffer.data() + n, '\n');
  }
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  const int ranks = argc > 1 ? std::max(1, std::atoi(argv[1])) : 4;
  const int lines = argc > 2 ? std::max(1, std::atoi(argv[2])) : 200'000;
  ::signal(SIGPIPE, SIG_IGN);
  int result[2];
  int console[2];
  if (::pipe2(result, O_CLOEXEC) != 0 || ::pipe2(console, O_CLOEXEC) != 0) return 71;
  const pid_t reader = ::fork();
  if (reader < 0) return 71;
  if (reader == 0) {
    ::close(console[1]);
    const long seen = count_lines(console[0]);
    ::_exit(::write(result[1], &seen, sizeof seen) == sizeof seen ? 0 : 1);
  }
  ::close(console[0]);

  boost::asio::io_context io;
  const auto start = Clock::now();
  {
    ddp::out::RouterConfig config;
    config.ranks.nproc = ranks;
    ddp::out::Router router(io, config, console[1], console[1],
                            [](std::string why) { std::fprintf(stderr, "%s\n", why.c_str()); });
    for (int rank = 0; rank < ranks; ++rank) {
      auto streams = router.open(0, rank);
      if (!streams) return 71;
      const pid_t pid = ::fork();
      if (pid < 0) return 71;
      if (pid == 0) {
        ::dup2(streams->out.get(), STDOUT_FILENO);
        ::close_range(3, ~0U, 0);
        write_lines(rank, lines);
        ::_exit(0);
      }
    }
    bool done = false;
    router.end_generation(Clock::now() + std::chrono::minutes(5), [&] { done = true; });
    while (!done) io.run_one();
    ::close(console[1]);
  }
  long seen = 0;
  if (::read(result[0], &seen, sizeof seen) != sizeof seen) return 71;
  const std::chrono::duration<double> took = Clock::now() - start;
  while (::wait(nullptr) > 0) continue;
  const long wanted = static_cast<long>(ranks) * lines;
  std::printf("%d ranks x %d lines: %.3f s, %.2f M lines/s, %ld of %ld lines arrived\n", ranks,
              lines, took.count(), static_cast<double>(seen) / took.count() / 1e6, seen, wanted);
  return seen == wanted ? 0 : 1;
}
