// Every other test relies on the harness: here it must detect everything that it claims to detect.
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <sstream>

using namespace ddp::test;

namespace {

Start helper(std::vector<std::string> steps) {
  steps.insert(steps.begin(), DDP_TEST_HELPER);
  return {.argv = std::move(steps), .env = plain_environment(make_temp_dir())};
}

int count_lines(const std::string& text) {
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line);) ++count;
  return count;
}

}  // namespace

TEST_CASE("output, exit codes and signals are kept apart") {
  Process process(helper({"print", "to out", "eprint", "to err", "exit", "7"}));
  CHECK(process.wait() == Status{.code = 7});
  CHECK(process.out() == "to out\n");
  CHECK(process.err() == "to err\n");
  process.wait_nothing_left();

  Process killed(helper({"no-core", "signal", "SEGV"}));
  CHECK(killed.wait() == Status{.signal = SIGSEGV});
}

TEST_CASE("a program starts with the requested signals and descriptors only") {
  auto start = helper({"signals", "fds"});
  start.ignored = {SIGPIPE};
  start.blocked = {SIGUSR1};
  start.extra_fds = {9};
  Process process(std::move(start));
  process.wait();
  CHECK(process.out().find("signals SigBlk:\t0000000000000200\n") != std::string::npos);
  CHECK(process.out().find("signals SigIgn:\t0000000000001000\n") != std::string::npos);
  CHECK(process.out().find("fd 9 /dev/null\n") != std::string::npos);
  CHECK(count_lines(process.out()) == 3 + 4);
}

TEST_CASE("a line that never comes is a timeout that shows the output") {
  Process process(helper({"print", "one", "print", "two", "pause"}));
  CHECK(process.until("two") == "two");
  CHECK_THROWS_WITH_AS(process.until("one", Deadline(std::chrono::milliseconds(10))),
                       doctest::Contains("one\ntwo\n"), Timeout);
  process.send_signal(SIGTERM);
  CHECK(process.wait() == Status{.signal = SIGTERM});
  CHECK_THROWS_AS(process.until("three"), std::runtime_error);
}

TEST_CASE("stdin is passed on and ended") {
  auto start = helper({"stdin"});
  start.stdio = Stdio::pipes;
  Process process(std::move(start));
  process.send("hello\n");
  CHECK(process.until("hello") == "hello");
  process.close_stdin();
  CHECK(process.wait() == Status{.code = 0});
}

TEST_CASE("a process that escapes by setsid and double fork is found") {
  Process process(helper({"fork", "[", "setsid", "fork", "[", "setsid", "print", "free {PID}",
                          "pause", "]", "exit", "0", "]", "wait-children", "exit", "0"}));
  const std::string free = process.until("free ").substr(5);
  CHECK(process.wait_exit() == Status{.code = 0});
  CHECK_THROWS_AS(process.wait(Deadline(std::chrono::milliseconds(10))), Timeout);

  REQUIRE(process.below().size() == 1);
  CHECK(std::to_string(process.below().front().pid) == free);
  const auto tree = descendants(getpid());
  REQUIRE(tree.size() == 1);
  CHECK(tree.front().parent == getpid());
  CHECK_THROWS_AS(process.wait_nothing_left(Deadline(std::chrono::milliseconds(10))), Timeout);

  kill(std::stoi(free), SIGKILL);
  process.wait_nothing_left();
  CHECK(process.wait() == Status{.code = 0});
}

TEST_CASE("a program left running is killed with all its descendants") {
  {
    Process process(
        helper({"ignore", "TERM", "fork", "[", "setsid", "pause", "]", "print", "up", "pause"}));
    process.until("up");
    CHECK(descendants(getpid()).size() == 2);
  }
  CHECK(descendants(getpid()).empty());
}

TEST_CASE("two programs at once are not mistaken for leftovers of each other") {
  Process first(helper({"print", "up", "pause"}));
  Process second(helper({"exit", "3"}));
  first.until("up");
  second.wait_nothing_left();
  CHECK(first.below().empty());
  first.send_signal(SIGKILL);
  CHECK(first.wait() == Status{.signal = SIGKILL});
}

TEST_CASE("Ctrl-C reaches a terminal's foreground and a hang-up its session") {
  auto start = helper({"print", "up", "pause"});
  start.stdio = Stdio::terminal;
  Process interrupted(start);
  interrupted.until("up");
  interrupted.send("\x03");
  CHECK(interrupted.wait() == Status{.signal = SIGINT});

  Process hung_up(start);
  hung_up.until("up");
  hung_up.hang_up();
  CHECK(hung_up.wait() == Status{.signal = SIGHUP});
}

TEST_CASE("a program that cannot be started is an error that names it") {
  CHECK_THROWS_WITH_AS(Process({.argv = {"/nowhere/at/all"}}), doctest::Contains("/nowhere/at/all"),
                       std::system_error);
}

TEST_CASE("helper steps that other tests rely on work") {
  const auto directory = make_temp_dir();
  Process waits(helper({"print", "up", "wait-file", directory.string() + "/go", "exit", "4"}));
  waits.until("up");
  Process goes(helper({"touch", directory.string() + "/go"}));
  CHECK(goes.wait() == Status{.code = 0});
  CHECK(waits.wait() == Status{.code = 4});

  Process traps(helper(
      {"on-signal", "TERM", "[", "print", "signalled", "exit", "5", "]", "print", "up", "pause"}));
  traps.until("up");
  traps.send_signal(SIGTERM);
  CHECK(traps.wait() == Status{.code = 5});
  CHECK(traps.out() == "up\nsignalled\n");

  Process wrong(helper({"no-such-step"}));
  CHECK(wrong.wait() == Status{.code = 99});
  CHECK(wrong.err() == "ddp-test-helper: no step 'no-such-step'\n");
}
