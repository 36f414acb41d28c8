#include "launcher/base/log.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

using namespace ddp;

namespace {

// Takes stderr over for as long as it lives; what was written comes out of the pipe.
class CapturedStderr {
 public:
  CapturedStderr() : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    REQUIRE(::dup2(ends_[1], STDERR_FILENO) >= 0);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  ~CapturedStderr() {
    ::dup2(saved_, STDERR_FILENO);
    for (const int fd : {saved_, ends_[0], ends_[1]}) ::close(fd);
  }
  std::string text() {
    std::string all;
    std::array<char, 4096> bytes;
    for (ssize_t n = 0; (n = ::read(ends_[0], bytes.data(), bytes.size())) > 0;)
      all.append(bytes.data(), static_cast<std::size_t>(n));
    return all;
  }

 private:
  int saved_;
  std::array<int, 2> ends_{};
};

struct LogOff {
  ~LogOff() {
    log::redirect({});
    log::start("", log::Level::off, false);
  }
};

}  // namespace

TEST_CASE("levels have the names of spdlog") {
  const std::pair<const char*, log::Level> names[] = {
      {"trace", log::Level::trace}, {"debug", log::Level::debug},  {"info", log::Level::info},
      {"warn", log::Level::warn},   {"warning", log::Level::warn}, {"error", log::Level::error},
      {"off", log::Level::off}};
  for (const auto& [name, level] : names) CHECK(*log::parse_level("x", name) == level);
  for (const char* bad : {"", "Warn", "verbose", "2"}) {
    const auto level = log::parse_level("--log-level", bad);
    REQUIRE_FALSE(level);
    CHECK(level.error() == "--log-level is '" + std::string(bad) +
                               "': expected trace, debug, info, warn, error or off");
  }
}

TEST_CASE("a message is one line with the program's name, if its level is enabled") {
  const LogOff off;
  CapturedStderr captured;
  log::write(log::Level::error, "before start");
  log::start("ddp-launch", log::Level::info, false);
  log::write(log::Level::error, "no space");
  log::write(log::Level::warn, "slow disk");
  log::write(log::Level::info, "started {} %v");
  log::write(log::Level::debug, "hidden");
  log::write(log::Level::off, "hidden");
  CHECK(captured.text() ==
        "ddp-launch: error: no space\nddp-launch: warning: slow disk\n"
        "ddp-launch: started {} %v\n");
  log::write(log::Level::info, "two\nlines\x1b[2J");
  CHECK(captured.text() == "ddp-launch: two lines [2J\n");
}

TEST_CASE("enabled() agrees with write()") {
  const LogOff off;
  const std::array levels{log::Level::trace, log::Level::debug, log::Level::info,
                          log::Level::warn,  log::Level::error, log::Level::off};
  for (std::size_t threshold = 0; threshold < levels.size(); ++threshold) {
    log::start("x", levels[threshold], false);
    for (std::size_t level = 0; level < levels.size(); ++level) {
      CapturedStderr captured;
      log::write(levels[level], "m");
      CHECK(captured.text().empty() == !log::enabled(levels[level]));
      CHECK(log::enabled(levels[level]) == (level >= threshold && level != 5));
    }
  }
}

TEST_CASE("only the tag has colour, and only if asked for") {
  const LogOff off;
  CapturedStderr captured;
  log::start("ddp-launch", log::Level::info, true);
  log::write(log::Level::warn, "x");
  CHECK(captured.text() == "ddp-launch: \x1b[1;33mwarning:\x1b[0m x\n");
  log::write(log::Level::info, "x");
  CHECK(captured.text() == "ddp-launch: x\n");
}

TEST_CASE("debug and trace messages have the time") {
  const LogOff off;
  CapturedStderr captured;
  log::start("p", log::Level::trace, false);
  log::write(log::Level::debug, "x");
  const std::string line = captured.text();
  CHECK(line.size() == std::string("p: debug: 12:00:00.123456 x\n").size());
  CHECK(line.starts_with("p: debug: "));
  CHECK(line.ends_with(" x\n"));
  CHECK(line[12] == ':');
  CHECK(line[18] == '.');
}

TEST_CASE("a sink may log, for instance that a line was lost") {
  const LogOff off;
  std::vector<std::string> lines;
  log::start("p", log::Level::info, false);
  log::redirect([&](std::string_view line) {
    lines.emplace_back(line);
    if (lines.size() == 1) log::write(log::Level::warn, "lost");
  });
  log::write(log::Level::info, "said");
  CHECK(lines == std::vector<std::string>{"p: said\n", "p: warning: lost\n"});
}

TEST_CASE("lines go to the sink while there is one") {
  const LogOff off;
  CapturedStderr captured;
  std::vector<std::string> lines;
  log::start("p", log::Level::info, false);
  log::redirect([&](std::string_view line) { lines.emplace_back(line); });
  log::write(log::Level::warn, "one");
  CHECK(captured.text().empty());
  CHECK(lines == std::vector<std::string>{"p: warning: one\n"});
  log::redirect({});
  log::write(log::Level::warn, "two");
  CHECK(captured.text() == "p: warning: two\n");
  CHECK(lines.size() == 1);
}
