#include "tests/launcher/output/harness.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <memory>

namespace ddp::out {
namespace {

struct Fixture {
  boost::asio::io_context io;
  std::vector<std::string> reports;
  std::function<void(std::string)> report() {
    return [this](std::string why) { reports.push_back(std::move(why)); };
  }
  static RouterConfig config(int nproc) {
    ::signal(SIGPIPE, SIG_IGN);
    RouterConfig config;
    config.ranks.nproc = nproc;
    return config;
  }
};

void flood() {
  const std::string lines(64 * 1024, '\n');
  for (int i = 0; i < 200; ++i) write_all(STDOUT_FILENO, lines);
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a reader that stops slows the workers, not the event loop") {
  Pipe out;
  Pipe err;
  const int flags = ::fcntl(out.write.get(), F_GETFL);
  auto owned = std::make_unique<Router>(io, config(1), out.write.get(), err.write.get(), report());
  Router& router = *owned;
  const pid_t pid = spawn_writer(router, 0, 0, flood);
  // Ten timers of 10 ms in a row, without a reader: each must be on time.
  for (int i = 0; i < 10; ++i) {
    boost::asio::steady_timer timer(io, std::chrono::milliseconds(10));
    bool fired = false;
    const auto before = Clock::now();
    timer.async_wait([&](const boost::system::error_code&) { fired = true; });
    while (!fired) io.run_one_for(std::chrono::seconds(5));
    CHECK(Clock::now() - before < std::chrono::seconds(2));
  }
  CHECK(::waitpid(pid, nullptr, WNOHANG) == 0);  // held back by the full pipe
  // The description that is shared with the shell keeps its flags.
  CHECK(::fcntl(out.write.get(), F_GETFL) == flags);
  // When the reader comes back, everything arrives.
  Reader reader(std::move(out.read));
  drain(io, router);
  CHECK(reap(pid) == 0);
  out.write.reset();
  owned.reset();
  CHECK(lines_of(reader.text()).size() == std::size_t{200} * 64 * 1024);
}

TEST_CASE_FIXTURE(Fixture,
                  "a closed stdout is reported once by name; the workers and stderr continue") {
  Pipe out;
  Pipe err;
  Reader reader(std::move(err.read));
  out.read.reset();
  {
    Router router(io, config(1), out.write.get(), err.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      flood();
      write_all(STDERR_FILENO, "still here\n");
    });
    drain(io, router);
    CHECK(reap(pid) == 0);
    err.write.reset();
  }
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("stdout: reader closed (Broken pipe)") == 0);
  CHECK(reader.text() == "[0] still here\n");
}

TEST_CASE_FIXTURE(Fixture, "a full device is reported once by name") {
  Pipe err;
  const os::ScopedFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full.valid());
  Router router(io, config(1), full.get(), err.write.get(), report());
  const pid_t pid = spawn_writer(router, 0, 0, flood);
  drain(io, router);
  CHECK(reap(pid) == 0);
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find("stdout: cannot be written (No space left on device)") == 0);
}

TEST_CASE_FIXTURE(Fixture, "a regular file gets both streams after its content") {
  const TempDir dir;
  const std::string path = dir.path() + "/log";
  std::ofstream(path) << "before\n";
  const os::ScopedFd out(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const os::ScopedFd err(::open(path.c_str(), O_WRONLY | O_CLOEXEC));  // its own offset, 0
  {
    Router router(io, config(1), out.get(), err.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [] { write_all(STDERR_FILENO, "one\n"); });
    drain(io, router);
    CHECK(reap(pid) == 0);
    router.notice("two");
  }
  CHECK(slurp(path) == "before\n[0] one\ntwo\n");
}

TEST_CASE_FIXTURE(Fixture, "redirect writes to the file alone, tee to both, in torchrun's layout") {
  const TempDir dir;
  Pipe out;
  Reader reader(std::move(out.read));
  {
    RouterConfig wanted = config(3);
    wanted.log_dir = dir.path();
    wanted.redirect = {{true, true}, {false, false}, {true, false}};
    wanted.tee = {{false, true}, {false, false}, {false, true}};
    Router router(io, wanted, out.write.get(), out.write.get(), report());
    for (int rank = 0; rank < 3; ++rank) {
      reap(spawn_writer(router, 2, rank, [] {
        write_all(STDOUT_FILENO, "out 1\nout 2\n");
        write_all(STDERR_FILENO, "err\rlast");
      }));
    }
    drain(io, router);
    CHECK(router.tail(2, 9) == std::vector<std::string>{"out 1", "out 2", "last"});
    CHECK(router.last_output(2).has_value());
    out.write.reset();
  }
  const std::string root = dir.path() + "/attempt_2/";
  CHECK(slurp(root + "0/stdout.log") == "out 1\nout 2\n");
  CHECK(slurp(root + "0/stderr.log") == "err\rlast");
  CHECK_FALSE(std::filesystem::exists(root + "1"));
  CHECK(slurp(root + "2/stderr.log") == "err\rlast");
  auto lines = lines_of(reader.text());
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::string>{"[0] err\rlast", "[1] err\rlast", "[1] out 1",
                                          "[1] out 2", "[2] err\rlast"});
  CHECK(reports.empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a log directory that is a file is reported once, and the console continues") {
  const TempDir dir;
  std::ofstream(dir.path() + "/file") << "x";
  Pipe out;
  Reader reader(std::move(out.read));
  {
    RouterConfig wanted = config(2);
    wanted.log_dir = dir.path() + "/file";
    wanted.tee = {{true, true}, {true, true}};
    Router router(io, wanted, out.write.get(), out.write.get(), report());
    for (int rank = 0; rank < 2; ++rank) {
      reap(spawn_writer(router, 0, rank, [] { write_all(STDOUT_FILENO, "line\n"); }));
    }
    drain(io, router);
    out.write.reset();
  }
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].find(dir.path() + "/file/attempt_0/0") != std::string::npos);
  CHECK(lines_of(reader.text()).size() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "a grandchild that holds the pipe is not waited for beyond the deadline") {
  Pipe out;
  Pipe hold;
  Reader reader(std::move(out.read));
  {
    REQUIRE(::dup2(hold.read.get(), STDIN_FILENO) == STDIN_FILENO);
    Router router(io, config(1), out.write.get(), out.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      write_all(STDOUT_FILENO, "line\nhalf");
      if (::fork() == 0) {
        char byte = 0;  // until the test closes the other side
        ::_exit(::read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1);
      }
    });
    CHECK(reap(pid) == 0);
    const auto before = Clock::now();
    drain(io, router, std::chrono::milliseconds(50));
    CHECK(Clock::now() - before >= std::chrono::milliseconds(50));
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find("rank 0's stdout, rank 0's stderr: still held open") == 0);
    hold.write.reset();
    out.write.reset();
  }
  CHECK(reader.text() == "[0] line\n[0] half\n");
}

TEST_CASE_FIXTURE(Fixture, "a stream that is neither shown nor kept is still read") {
  Pipe out;
  Reader reader(std::move(out.read));
  {
    RouterConfig wanted = config(2);
    wanted.shown = {true, false};
    Router router(io, wanted, out.write.get(), out.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 1, [] {
      flood();
      write_all(STDOUT_FILENO, "last");
    });
    drain(io, router);
    CHECK(reap(pid) == 0);
    CHECK(router.tail(1, 1) == std::vector<std::string>{"last"});
    out.write.reset();
  }
  CHECK(reader.text().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a progress bar in a pipe is shown before its line ends, losing nothing") {
  Pipe out;
  Pipe go;
  {
    REQUIRE(::dup2(go.read.get(), STDIN_FILENO) == STDIN_FILENO);
    Router router(io, config(1), out.write.get(), out.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      write_all(STDERR_FILENO, "\r10%\r20%\r30%");
      char byte = 0;  // the line ends only after its beginning was seen
      if (::read(STDIN_FILENO, &byte, 1) != 1) ::_exit(8);
      write_all(STDERR_FILENO, "\r100%\n");
    });
    std::thread watcher([&] {
      std::string first(20, '\0');
      const ssize_t n = ::read(out.read.get(), first.data(), first.size());
      first.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
      CHECK(first == "[0] \r10%\r20%\r\n");
      write_all(go.write.get(), "g");
    });
    drain(io, router);
    watcher.join();
    CHECK(reap(pid) == 0);
    out.write.reset();
  }
  Reader reader(std::move(out.read));
  CHECK(reader.text() == "[0] 30%\r100%\n");
}

}  // namespace ddp::out
