// The status line at the bottom of a terminal.
#include "tests/e2e/launch.hpp"
#include "tests/support/screen.hpp"

#include <signal.h>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

using namespace ddp::test;

namespace {

constexpr int kColumns = 200;  // of the terminals of tests

Start on_terminal(const Scene& scene, const Words& flags, const Words& steps) {
  auto start = scene.start(flags, helper(steps));
  start.stdio = Stdio::terminal;
  start.env["TERM"] = "xterm";
  start.env["NO_COLOR"] = "1";
  return start;
}

Words screen(const std::string& shown) {
  Screen screen(kColumns);
  screen.write(shown);
  return screen.lines();
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size()))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("a status line is there while workers print above it, and gone at the end") {
  const Scene scene;
  Process launch(on_terminal(
      scene, {"--nproc", "1", "--max-restarts", "2"},
      {"notify", "X_DDP_TOTAL_STEPS=40\\nREADY=1", "steps", "1", "10", "print", "before",
       "wait-file", scene.path("go"), "print", "after", "wait-file", scene.path("end")}));
  launch.until_shown("step 10/40");
  launch.until_shown("2 restarts left");
  const auto before = screen(launch.out());
  REQUIRE(before.size() == 2);
  CHECK(before[0] == "[0] before");
  CHECK(before[1].starts_with("1/1 rank  step 10/40  ━━━━──────────── 25 %"));
  CHECK(before[1].ends_with(" left"));

  std::ofstream(scene.path("go"));
  launch.until_shown("[0] after");
  launch.until_shown("1/1 rank");  // drawn again below it, in the same write
  const auto after = screen(launch.out());
  REQUIRE(after.size() == 3);
  CHECK(after[1] == "[0] after");
  CHECK(after[2].starts_with("1/1 rank  step 10/40"));

  std::ofstream(scene.path("end"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(screen(run.out) == Words{"[0] before", "[0] after"});
}

TEST_CASE("a worker's progress bar is above the status line and stays whole") {
  const Scene scene;
  Process launch(
      on_terminal(scene, {"--nproc", "1"},
                  {"raw", "bar 10 %\\r", "wait-file", scene.path("go"), "raw", "bar 90 %\\r",
                   "wait-file", scene.path("end"), "raw", "bar 100 %\\n"}));
  launch.until_shown("1/1 rank");
  auto lines = screen(launch.out());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "[0] bar 10 %");
  CHECK(lines[1].starts_with("1/1 rank"));
  std::ofstream(scene.path("go"));
  launch.until_shown("bar 90 %");
  launch.until_shown("1/1 rank");
  lines = screen(launch.out());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "[0] bar 90 %");
  std::ofstream(scene.path("end"));
  const auto run = finish(scene, launch);
  CHECK(screen(run.out) == Words{"[0] bar 100 %"});
}

TEST_CASE("no line of a flood of lines is torn or lost") {
  const Scene scene;
  Process launch(
      on_terminal(scene, {"--nproc", "2"},
                  {"write-lines", "200", "wait-file", scene.path("go"), "write-lines", "2000"}));
  launch.until_shown("2/2 ranks");
  std::ofstream(scene.path("go"));
  const auto run = finish(scene, launch);
  std::map<int, int> seen;
  for (const auto& line : screen(run.out)) {
    REQUIRE((line.starts_with("[0] 0 ") || line.starts_with("[1] 1 ")));
    ++seen[line[1] - '0'];
  }
  CHECK(seen == std::map<int, int>{{0, 2200}, {1, 2200}});
}

TEST_CASE("it is drawn on change, ten times a second at most, and once a second for the clock") {
  const Scene scene;
  const auto began = std::chrono::steady_clock::now();
  // 1.5 s of a step each 5 ms.
  Process launch(on_terminal(scene, {"--nproc", "1"},
                             {"tick", "300", "5", "[", "notify", "X_DDP_STEP={TICK}", "]", "print",
                              "ticks are over", "wait-file", scene.path("end")}));
  launch.until_shown("ticks are over");
  const auto tenths = (std::chrono::steady_clock::now() - began) / std::chrono::milliseconds(100);
  const auto drawn = count(launch.out(), "1/1 rank");
  CHECK(drawn >= 3);
  CHECK(drawn <= static_cast<std::size_t>(tenths) + 1);
  // Nothing changes: a clock.
  launch.until_shown("0:0");
  const auto from = launch.out().size();
  launch.until_shown("0:0");
  launch.until_shown("0:0");
  launch.until_shown("0:0");
  CHECK(count(launch.out().substr(from), "1/1 rank") <= 4);
  std::ofstream(scene.path("end"));
  finish(scene, launch);
}

TEST_CASE("none on a dumb terminal, on a pipe, or with --no-status") {
  const Scene scene;
  const Words steps{"tick", "2", "700", "[", "print", "tick", "]"};
  const auto shown = [&](Start start) {
    Process launch(std::move(start));
    return finish(scene, launch);
  };
  auto dumb = on_terminal(scene, {"--nproc", "1"}, steps);
  dumb.env["TERM"] = "dumb";
  CHECK(shown(dumb).out == "[0] tick\r\n[0] tick\r\n");
  dumb.env.erase("TERM");
  CHECK(shown(dumb).out == "[0] tick\r\n[0] tick\r\n");
  CHECK(shown(on_terminal(scene, {"--nproc", "1", "--no-status"}, steps)).out ==
        "[0] tick\r\n[0] tick\r\n");
  auto pipe = scene.start({"--nproc", "1"}, helper(steps));
  pipe.env["TERM"] = "xterm";
  const auto run = shown(pipe);
  CHECK(run.out == "[0] tick\n[0] tick\n");
  CHECK(run.err == "");
  // The control: with a terminal it is there.
  CHECK(contains(shown(on_terminal(scene, {"--nproc", "1"}, steps)).out, "1/1 rank"));
}

TEST_CASE("Ctrl-Z leaves the terminal to the shell, and fg brings the line back") {
  const Scene scene;
  Process launch(
      on_terminal(scene, {"--nproc", "1"}, {"print", "line", "wait-file", scene.path("end")}));
  launch.until_shown("1/1 rank");
  launch.send("\x1a");
  launch.wait_stopped();
  // The terminal's echo may come before it is erased, or after.
  const auto erased = [&] {
    const auto lines = screen(launch.out());
    return lines.size() == 1 || (lines.size() == 2 && lines[1] == "^Z");
  };
  while (!erased()) launch.until_shown("\x1b[K");
  launch.send_signal(SIGCONT);
  launch.until_shown("1/1 rank");
  std::ofstream(scene.path("end"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
}
