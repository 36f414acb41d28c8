// Workers on pseudo terminals: the promises of the pipes hold.
#include "launcher/os/pty.hpp"

#include "tests/launcher/output/harness.hpp"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <termios.h>

#include <cerrno>
#include <csignal>

namespace ddp::out {
namespace {

struct Fixture {
  boost::asio::io_context io;
  std::vector<std::string> reports;
  std::function<void(std::string)> report() {
    return [this](std::string why) { reports.push_back(std::move(why)); };
  }
  static RouterConfig config(int nproc) {
    ::signal(SIGPIPE, SIG_IGN);  // as the launcher does
    RouterConfig config;
    config.ranks.nproc = nproc;
    config.pty = true;
    return config;
  }
};

// 200 kB that differ from rank to rank: any byte but '\n' within its lines, so that whatever the
// line discipline would change is seen.
std::string burst(int rank) {
  std::string text;
  for (int line = 0; text.size() < 200'000; ++line) {
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>((byte + rank + line) % 256);
      if (c != '\n') text += c;
    }
    text += '\n';
  }
  return text;
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

}  // namespace

TEST_CASE("a pty is a terminal of the size asked for, close-on-exec, that changes no byte") {
  auto pty = os::open_pty({120, 33});
  REQUIRE(pty);
  const int slave = pty->slave.get();
  CHECK(::isatty(slave) == 1);
  for (const int fd : {slave, pty->master.get()}) CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(pty->master.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(slave, F_GETFL) & O_NONBLOCK) == 0);
  const auto size = os::window_size(slave);
  REQUIRE(size);
  CHECK(size->columns == 120);
  CHECK(size->rows == 33);
  termios mode{};
  REQUIRE(::tcgetattr(slave, &mode) == 0);
  CHECK((mode.c_oflag & OPOST) == 0);
  CHECK((mode.c_lflag & (ECHO | ECHONL)) == 0);
  char byte = 0;
  CHECK(::read(slave, &byte, 1) == -1);  // fails at once: there is no input
  CHECK(errno == EBADF);

  CHECK(::read(pty->master.get(), &byte, 1) == -1);
  CHECK(errno == EAGAIN);
  write_all(slave, "a\nb\r\n\t\x04");
  pty->slave.reset();
  CHECK(read_to_end(pty->master.get()) == "a\nb\r\n\t\x04");
  CHECK(::read(pty->master.get(), &byte, 1) == -1);
  CHECK(errno == EIO);
}

TEST_CASE("only a terminal that knows its size has one") {
  const Pipe pipe;
  CHECK_FALSE(os::window_size(pipe.write.get()));
  CHECK_FALSE(os::window_size(-1));
  auto pty = os::open_pty({});
  REQUIRE(pty);
  const winsize unknown{};
  REQUIRE(::ioctl(pty->master.get(), TIOCSWINSZ, &unknown) == 0);
  CHECK_FALSE(os::window_size(pty->slave.get()));
}

TEST_CASE_FIXTURE(Fixture, "output right before the exit of a rank arrives whole, byte by byte") {
  for (const int ranks : {1, 4, 64}) {
    CAPTURE(ranks);
    const TempDir dir;
    Pipe out;
    Pipe err;
    Reader read_out(std::move(out.read));
    Reader read_err(std::move(err.read));
    {
      RouterConfig wanted = config(ranks);
      wanted.log_dir = dir.path();
      wanted.tee.assign(static_cast<std::size_t>(ranks), {true, false});
      Router router(io, wanted, out.write.get(), err.write.get(), report());
      std::vector<pid_t> pids;
      for (int rank = 0; rank < ranks; ++rank) {
        pids.push_back(spawn_writer(router, 0, rank, [rank] {
          if (::isatty(STDOUT_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) ::_exit(7);
          write_all(STDERR_FILENO, "error of " + std::to_string(rank));
          write_all(STDOUT_FILENO, burst(rank));
        }));
      }
      drain(io, router);
      for (const pid_t pid : pids) CHECK(reap(pid) == 0);
      out.write.reset();
      err.write.reset();
    }
    std::vector<std::string> shown(static_cast<std::size_t>(ranks));
    for (const auto& line : lines_of(read_out.text())) {
      const auto rank = std::stoul(line.substr(1));
      REQUIRE(rank < shown.size());
      shown[rank] += line.substr(line.find("] ") + 2) + "\n";
    }
    for (int rank = 0; rank < ranks; ++rank) {
      CAPTURE(rank);
      const std::string wanted = burst(rank);
      const bool on_console = shown[static_cast<std::size_t>(rank)] == wanted;
      const std::string path = dir.path() + "/attempt_0/" + std::to_string(rank) + "/stdout.log";
      const bool in_file = slurp(path) == wanted;
      CHECK(on_console);
      CHECK(in_file);
    }
    CHECK(lines_of(read_err.text()).size() == static_cast<std::size_t>(ranks));
    CHECK(reports.empty());
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "a rank that is killed in mid write leaves whole lines, and the others") {
  Pipe out;
  Reader reader(std::move(out.read));
  {
    Router router(io, config(2), out.write.get(), out.write.get(), report());
    int seen = 0;
    const auto lines =
        router.on_line([&](int rank, Stream, std::string_view) { seen += rank == 0; });
    const pid_t killed = spawn_writer(router, 0, 0, [] {
      for (;;) write_all(STDOUT_FILENO, std::string(5000, 'k') + "\n");
    });
    const pid_t other = spawn_writer(router, 0, 1, [] { write_all(STDOUT_FILENO, burst(1)); });
    const auto deadline = Clock::now() + kTestDeadline;
    while (seen < 100 && Clock::now() < deadline) io.run_one_until(deadline);
    REQUIRE(seen >= 100);
    CHECK(::kill(killed, SIGKILL) == 0);
    drain(io, router);
    CHECK(WTERMSIG(reap(killed)) == SIGKILL);
    CHECK(reap(other) == 0);
    out.write.reset();
  }
  std::string other;
  int whole = 0;
  int cut = 0;
  for (const auto& line : lines_of(reader.text())) {
    if (line.starts_with("[1] ")) {
      other += line.substr(4) + "\n";
    } else if (line.starts_with("[0] ") && line.find_first_not_of('k', 4) == std::string::npos) {
      ++(line.size() == 5004 ? whole : cut);
    }
  }
  const bool all = other == burst(1);
  CHECK(all);
  CHECK(whole >= 100);
  CHECK(cut <= 1);
  CHECK(reports.empty());
}

TEST_CASE_FIXTURE(Fixture, "a stream redirected to a file is the file, not a terminal") {
  const TempDir dir;
  Pipe out;
  Reader reader(std::move(out.read));
  {
    RouterConfig wanted = config(1);
    wanted.log_dir = dir.path();
    wanted.redirect = {{true, false}};
    Router router(io, wanted, out.write.get(), out.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      write_all(STDOUT_FILENO, ::isatty(STDOUT_FILENO) == 1 ? "terminal" : "file");
      write_all(STDERR_FILENO, ::isatty(STDERR_FILENO) == 1 ? "terminal" : "pipe");
    });
    drain(io, router);
    CHECK(reap(pid) == 0);
    out.write.reset();
  }
  CHECK(slurp(dir.path() + "/attempt_0/0/stdout.log") == "file");
  CHECK(reader.text() == "[0] terminal\n");
}

TEST_CASE_FIXTURE(Fixture, "without a descriptor left the error names rank, stream and reason") {
  const Pipe out;
  Router router(io, config(1), out.write.get(), out.write.get(), report());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::dup(out.write.get());
  ::close(next);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto streams = router.open(0, 0);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE_FALSE(streams);
  CHECK(streams.error() == "rank 0's stdout: a pseudo terminal: /dev/ptmx: Too many open files");
}

}  // namespace ddp::out
