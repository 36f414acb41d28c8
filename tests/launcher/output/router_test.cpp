#include "tests/launcher/output/harness.hpp"

#include <sys/ioctl.h>

using namespace std::string_literals;

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
    return config;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "16 ranks x 1,000 lines, split over writes: whole, complete, in order") {
  constexpr int kRanks = 16;
  constexpr int kLines = 1000;
  Pipe out;
  Pipe err;
  Reader read_out(std::move(out.read));
  Reader read_err(std::move(err.read));
  std::vector<pid_t> pids;
  {
    Router router(io, config(kRanks), out.write.get(), err.write.get(), report());
    for (int rank = 0; rank < kRanks; ++rank) {
      pids.push_back(spawn_writer(router, 0, rank, [rank] {
        for (int i = 0; i < kLines; ++i) {
          const std::string line = "rank " + std::to_string(rank) + " line " + std::to_string(i) +
                                   std::string(static_cast<std::size_t>(i % 50), 'x') + "\n";
          const int fd = i % 3 == 0 ? STDERR_FILENO : STDOUT_FILENO;
          const auto cut = static_cast<std::size_t>(i) % line.size();
          write_all(fd, line.substr(0, cut));
          write_all(fd, line.substr(cut));
        }
      }));
    }
    drain(io, router);
    for (const pid_t pid : pids) CHECK(reap(pid) == 0);
    out.write.reset();
    err.write.reset();
  }
  std::map<std::string, int> next_out;
  std::map<std::string, int> next_err;
  int seen = 0;
  for (auto* reader : {&read_out, &read_err}) {
    const bool is_err = reader == &read_err;
    for (const auto& line : lines_of(reader->text())) {
      int tag = -1;
      int rank = -1;
      int index = -1;
      REQUIRE(std::sscanf(line.c_str(), "[%d] rank %d line %dx", &tag, &rank, &index) == 3);
      CHECK(tag == rank);
      int& next = (is_err ? next_err : next_out)[std::to_string(rank)];
      while ((next % 3 == 0) != is_err) ++next;
      REQUIRE(index == next++);
      const std::string expected = std::string(rank < 10 ? "[ " : "[") + std::to_string(rank) +
                                   "] rank " + std::to_string(rank) + " line " +
                                   std::to_string(index) +
                                   std::string(static_cast<std::size_t>(index % 50), 'x');
      REQUIRE(line == expected);
      ++seen;
    }
  }
  CHECK(seen == kRanks * kLines);
  CHECK(reports.empty());
}

TEST_CASE_FIXTURE(Fixture, "bytes are unchanged, and a last line without newline is completed") {
  const std::string bytes = "nul\0 bad\xff\xfe utf\n\n10%\r20%\rdone\r\nprompt> "s;
  Pipe out;
  Reader reader(std::move(out.read));
  {
    Router router(io, config(1), out.write.get(), out.write.get(), report());
    const pid_t pid = spawn_writer(router, 0, 0, [&] { write_all(STDOUT_FILENO, bytes); });
    drain(io, router);
    CHECK(reap(pid) == 0);
    CHECK(router.tail(0, 2) == std::vector<std::string>{"done", "prompt> "});
    CHECK(router.last_output(0).has_value());
    router.notice("ddp-launch: over");
    out.write.reset();
  }
  CHECK(reader.text() ==
        "[0] nul\0 bad\xff\xfe utf\n[0] \n[0] 10%\r20%\rdone\r\n[0] prompt> \nddp-launch: over\n"s);
}

TEST_CASE_FIXTURE(Fixture, "a line of many MiB passes whole in bounded memory, next to others") {
  constexpr std::size_t kMiB = 1 << 20;
  Pipe out;
  Reader reader(std::move(out.read));
  const auto resident_kib = [] {
    const std::string status = slurp("/proc/self/status");
    return std::stol(status.substr(status.find("RssAnon:") + 8));
  };
  {
    Router router(io, config(2), out.write.get(), out.write.get(), report());
    std::size_t observed = 0;
    const auto lines = router.on_line([&](int rank, Stream, std::string_view line) {
      if (rank == 0) observed = line.size();
    });
    const pid_t big = spawn_writer(router, 0, 0, [] {
      const std::string part(kMiB, 'x');
      for (int i = 0; i < 32; ++i) write_all(STDOUT_FILENO, part);
      write_all(STDOUT_FILENO, "\n");
    });
    const pid_t small = spawn_writer(router, 0, 1, [] {
      for (int i = 0; i < 2000; ++i) write_all(STDERR_FILENO, "small\n");
    });
    const long before = resident_kib();
    drain(io, router);
    // The test's own copy of the text is all that may have grown by as much.
    const long grown = resident_kib() - before;
#ifndef __SANITIZE_ADDRESS__
    CHECK(grown < 3 * 32 * 1024);
#else
    (void)grown;
#endif
    CHECK(reap(big) == 0);
    CHECK(reap(small) == 0);
    CHECK(observed == 64 * 1024);
    CHECK(router.tail(0, 1).front().size() == 4096);
    out.write.reset();
  }
  int small_lines = 0;
  int big_lines = 0;
  for (const auto& line : lines_of(reader.text())) {
    if (line == "[1] small") ++small_lines;
    if (line.size() == 4 + 32 * kMiB && line.find_first_not_of('x', 4) == std::string::npos) {
      ++big_lines;
    }
  }
  CHECK(small_lines == 2000);
  CHECK(big_lines == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "a long line that stalls is completed while others wait, then continues") {
  Pipe out;
  Pipe go;
  Reader reader(std::move(out.read));
  bool small_seen = false;
  bool long_started = false;
  {
    Router router(io, config(2), out.write.get(), out.write.get(), report());
    const auto lines = router.on_line([&](int rank, Stream, std::string_view) {
      if (rank == 0) long_started = true;
      if (rank == 1 && !std::exchange(small_seen, true)) write_all(go.write.get(), "g");
    });
    const int gate = ::dup2(go.read.get(), STDIN_FILENO);
    REQUIRE(gate == STDIN_FILENO);
    // Its newline comes only after the other's line was read: without the break, never.
    const pid_t stalling = spawn_writer(router, 0, 0, [] {
      write_all(STDOUT_FILENO, std::string(200 * 1024, 'x'));
      char byte = 0;
      if (::read(STDIN_FILENO, &byte, 1) != 1) ::_exit(8);
      write_all(STDOUT_FILENO, "rest\n");
    });
    // Let the long line take the sink before the other stream speaks.
    while (!long_started) io.run_one_for(std::chrono::seconds(5));
    const pid_t other = spawn_writer(router, 0, 1, [] { write_all(STDOUT_FILENO, "other\n"); });
    drain(io, router);
    CHECK(reap(stalling) == 0);
    CHECK(reap(other) == 0);
    out.write.reset();
  }
  CHECK(small_seen);
  const auto lines = lines_of(reader.text());
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].size() == 4 + 200 * 1024);
  CHECK(lines[1] == "[1] other");
  CHECK(lines[2] == "[0] rest");
}

TEST_CASE_FIXTURE(Fixture, "one pipe for both streams keeps the order of reading, lines whole") {
  Pipe out;
  Reader reader(std::move(out.read));
  os::ScopedFd err(::dup(out.write.get()));
  {
    Router router(io, config(4), out.write.get(), err.get(), report());
    std::vector<pid_t> pids;
    for (int rank = 0; rank < 4; ++rank) {
      pids.push_back(spawn_writer(router, 0, rank, [] {
        for (int i = 0; i < 2000; ++i) {
          write_all(i % 2 == 0 ? STDOUT_FILENO : STDERR_FILENO,
                    std::string(static_cast<std::size_t>(i % 300), 'y') + "end\n");
        }
      }));
    }
    drain(io, router);
    for (const pid_t pid : pids) CHECK(reap(pid) == 0);
    out.write.reset();
    err.reset();
  }
  const auto lines = lines_of(reader.text());
  CHECK(lines.size() == 8000);
  for (const auto& line : lines) {
    REQUIRE(line[0] == '[');
    REQUIRE(line.ends_with("end"));
    REQUIRE(line.find_first_not_of('y', 4) == line.size() - 3);
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "a held rank blocks when its pipe is full, others go on, and nothing is lost") {
  constexpr int kLines = 4000;  // 200 KB: three pipes full
  Pipe out;
  Reader reader(std::move(out.read));
  {
    Router router(io, config(2), out.write.get(), out.write.get(), report());
    const auto lines = [](const char* name) {
      for (int i = 0; i < kLines; ++i)
        write_all(STDOUT_FILENO, name + std::to_string(i) + std::string(40, '.') + "\n");
    };
    int held_left = 0;
    const auto subscription =
        router.on_line([&](int rank, Stream, std::string_view) { held_left += rank == 0; });
    const pid_t held = spawn_writer(router, 0, 0, [&] { lines("held "); });
    CHECK(router.hold(0, true));
    const pid_t free = spawn_writer(router, 0, 1, [&] { lines("free "); });
    int free_end = 0;
    const auto deadline = Clock::now() + kTestDeadline;
    while (::waitpid(free, &free_end, WNOHANG) == 0 && Clock::now() < deadline)
      io.run_for(std::chrono::milliseconds(1));
    CHECK(free_end == 0);
    CHECK(held_left == 0);
    CHECK(::waitpid(held, nullptr, WNOHANG) == 0);
    SUBCASE("until it is let go") { CHECK(router.hold(0, false)); }
    SUBCASE("until the attempt ends") {}
    drain(io, router);
    CHECK(held_left == kLines);
    CHECK(reap(held) == 0);
    CHECK_FALSE(router.hold(0, true));  // nothing left to hold
    out.write.reset();
  }
  CHECK(lines_of(reader.text()).size() == 2 * kLines);
}

}  // namespace ddp::out
