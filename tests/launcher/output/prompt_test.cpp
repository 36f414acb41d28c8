// An unfinished line of the rank that has standard input.
#include "launcher/os/pty.hpp"
#include "tests/launcher/output/harness.hpp"

#include <poll.h>

namespace ddp::out {
namespace {

struct Fixture {
  boost::asio::io_context io;
  Pipe out;
  Pipe go;
  std::vector<std::string> reports;
  std::function<void(std::string)> report() {
    return [this](std::string why) { reports.push_back(std::move(why)); };
  }
  // Rank 0 has standard input: what is written to `go`.
  RouterConfig config(int nproc) const {
    ::signal(SIGPIPE, SIG_IGN);  // as the launcher does
    REQUIRE(::dup2(go.read.get(), STDIN_FILENO) == STDIN_FILENO);
    RouterConfig config;
    config.ranks.nproc = nproc;
    config.stdin_rank = 0;
    return config;
  }
  void release() const { write_all(go.write.get(), "g"); }
};

void wait_for_go() {
  char byte = 0;
  if (::read(STDIN_FILENO, &byte, 1) != 1) ::_exit(8);
}

// Runs the event loop until what `fd` shows, added to `text`, holds `wanted`.
void run_until_shown(boost::asio::io_context& io, int fd, std::string& text,
                     const std::string& wanted) {
  const auto deadline = Clock::now() + kTestDeadline;
  while (text.find(wanted) == std::string::npos && Clock::now() < deadline) {
    io.restart();
    io.run_one_for(std::chrono::milliseconds(5));
    pollfd readable{fd, POLLIN, 0};
    char buffer[65536];
    while (::poll(&readable, 1, 0) == 1) {
      const ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
    }
  }
  CAPTURE(text);
  REQUIRE(text.find(wanted) != std::string::npos);
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a prompt is shown before its newline, and what follows continues it") {
  const TempDir dir;
  std::string shown;
  std::vector<std::string> observed;
  {
    RouterConfig wanted = config(1);
    wanted.log_dir = dir.path();
    wanted.tee = {{true, true}};
    Router router(io, wanted, out.write.get(), out.write.get(), report());
    const auto lines =
        router.on_line([&](int, Stream, std::string_view line) { observed.emplace_back(line); });
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      write_all(STDOUT_FILENO, "before\nname? ");
      wait_for_go();
      write_all(STDOUT_FILENO, "Ada");
      wait_for_go();
      write_all(STDOUT_FILENO, " L.\nnext\nlast? ");
    });
    run_until_shown(io, out.read.get(), shown, "name? ");
    CHECK(shown == "[0] before\n[0] name? ");
    CHECK(slurp(dir.path() + "/attempt_0/0/stdout.log") == "before\nname? ");
    CHECK(observed == std::vector<std::string>{"before"});
    CHECK(router.tail(0, 9) == std::vector<std::string>{"before"});
    release();
    run_until_shown(io, out.read.get(), shown, "Ada");  // at once: the line is on the console
    CHECK(shown == "[0] before\n[0] name? Ada");
    release();
    drain(io, router);
    CHECK(reap(pid) == 0);
    const std::vector<std::string> all{"before", "name? Ada L.", "next", "last? "};
    CHECK(observed == all);
    CHECK(router.tail(0, 9) == all);
    out.write.reset();
  }
  run_until_shown(io, out.read.get(), shown, "last? \n");
  CHECK(shown == "[0] before\n[0] name? Ada L.\n[0] next\n[0] last? \n");
  CHECK(slurp(dir.path() + "/attempt_0/0/stdout.log") == "before\nname? Ada L.\nnext\nlast? ");
}

TEST_CASE_FIXTURE(Fixture, "the same on a terminal, from a rank's own terminal") {
  auto console = os::open_pty({});
  REQUIRE(console);
  std::string shown;
  RouterConfig wanted = config(1);
  wanted.pty = true;
  Router router(io, wanted, console->slave.get(), console->slave.get(), report());
  const pid_t pid = spawn_writer(router, 0, 0, [] {
    write_all(STDERR_FILENO, "(Pdb) ");
    wait_for_go();
    write_all(STDERR_FILENO, "quit\n");
  });
  run_until_shown(io, console->master.get(), shown, "(Pdb) ");
  CHECK(shown == "[0] (Pdb) ");
  release();
  drain(io, router);
  CHECK(reap(pid) == 0);
  run_until_shown(io, console->master.get(), shown, "quit\n");
  CHECK(shown == "[0] (Pdb) quit\n");
}

TEST_CASE_FIXTURE(Fixture, "an unfinished line of another rank is held until its newline") {
  std::string shown;
  Router router(io, config(2), out.write.get(), out.write.get(), report());
  const pid_t other = spawn_writer(router, 0, 1, [] {
    write_all(STDOUT_FILENO, "half");
    wait_for_go();
    write_all(STDOUT_FILENO, " whole\n");
  });
  const auto deadline = Clock::now() + kTestDeadline;
  while (!router.last_output(1) && Clock::now() < deadline) io.run_one_until(deadline);
  // What the other wrote before is older than 100 ms once this is shown.
  const pid_t asking = spawn_writer(router, 0, 0, [] {
    write_all(STDOUT_FILENO, "name? ");
    wait_for_go();
    write_all(STDOUT_FILENO, "Ada\n");
  });
  run_until_shown(io, out.read.get(), shown, "name? ");
  CHECK(shown == "[0] name? ");
  release();
  release();
  drain(io, router);
  CHECK(reap(other) == 0);
  CHECK(reap(asking) == 0);
  run_until_shown(io, out.read.get(), shown, "whole\n");
  run_until_shown(io, out.read.get(), shown, "Ada\n");
}

TEST_CASE_FIXTURE(Fixture, "others wait a second for the end of a prompt, then get the console") {
  std::string shown;
  std::vector<std::string> observed;
  Router router(io, config(2), out.write.get(), out.write.get(), report());
  const auto lines = router.on_line([&](int rank, Stream, std::string_view line) {
    if (rank == 0) observed.emplace_back(line);
  });
  const pid_t asking = spawn_writer(router, 0, 0, [] {
    write_all(STDOUT_FILENO, "name? ");
    wait_for_go();
    write_all(STDOUT_FILENO, "Ada\nagain? ");
    wait_for_go();
    write_all(STDOUT_FILENO, "\nover\n");
  });
  run_until_shown(io, out.read.get(), shown, "name? ");
  reap(spawn_writer(router, 0, 1, [] { write_all(STDOUT_FILENO, "one\ntwo\n"); }));
  run_until_shown(io, out.read.get(), shown, "two\n");
  CHECK(shown == "[0] name? \n[1] one\n[1] two\n");
  release();
  run_until_shown(io, out.read.get(), shown, "again? ");
  CHECK(shown == "[0] name? \n[1] one\n[1] two\n[0] Ada\n[0] again? ");
  shown.clear();
  router.notice("ddp-launch: a word");
  run_until_shown(io, out.read.get(), shown, "a word\n");
  CHECK(shown == "\nddp-launch: a word\n");
  release();
  drain(io, router);
  CHECK(reap(asking) == 0);
  run_until_shown(io, out.read.get(), shown, "over\n");
  // The newline that the prompt got when it was broken is its own: there is no empty line.
  CHECK(shown == "\nddp-launch: a word\n[0] over\n");
  CHECK(observed == std::vector<std::string>{"name? Ada", "again? ", "over"});
}

TEST_CASE_FIXTURE(Fixture, "a prompt that grows beyond 64 KiB continues as a long line") {
  constexpr std::size_t kSize = std::size_t{200} * 1024;
  std::string shown;
  std::optional<Reader> reader;
  std::size_t observed = 0;
  {
    Router router(io, config(1), out.write.get(), out.write.get(), report());
    const auto lines = router.on_line([&](int, Stream, std::string_view line) {
      if (line.starts_with("? x")) observed = line.size();
    });
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      write_all(STDOUT_FILENO, "? ");
      wait_for_go();
      write_all(STDOUT_FILENO, std::string(kSize, 'x') + "\nlast\n");
    });
    run_until_shown(io, out.read.get(), shown, "[0] ? ");
    reader.emplace(std::move(out.read));
    release();
    drain(io, router);
    CHECK(reap(pid) == 0);
    out.write.reset();
  }
  const bool whole = reader->text() == std::string(kSize, 'x') + "\n[0] last\n";
  CHECK(whole);
  CHECK(observed == std::size_t{64} * 1024);
}

TEST_CASE_FIXTURE(Fixture, "a progress bar of the rank with standard input stays a bar") {
  Reader reader(std::move(out.read));
  {
    Router router(io, config(1), out.write.get(), out.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [] {
      write_all(STDERR_FILENO, "\r10%\r20%\r30%");
      wait_for_go();
      write_all(STDERR_FILENO, "\r100%\n");
    });
    bool go_on = false;
    const auto lines =
        router.on_line([&](int, Stream, std::string_view line) { go_on = line == "\r10%\r20%\r"; });
    const auto deadline = Clock::now() + kTestDeadline;
    while (!go_on && Clock::now() < deadline) io.run_one_until(deadline);
    CHECK(go_on);
    release();
    drain(io, router);
    CHECK(reap(pid) == 0);
    out.write.reset();
  }
  CHECK(reader.text() == "[0] \r10%\r20%\r\n[0] 30%\r100%\n");
}

}  // namespace ddp::out
