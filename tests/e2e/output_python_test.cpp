// The output of Python programs under ddp-launch: last lines, prompts, errors.
#include "tests/e2e/launch.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

Words python(const std::string& program) { return {"python3", "-c", program}; }

const char* const kPrintsAndDies =
    "import os\n"
    "for i in range(21): print('line', i)\n"
    "os.kill(os.getpid(), 9)\n";

}  // namespace

TEST_CASE("the last lines of a killed Python rank are in the failure report") {
  Scene scene;
  const auto run = scene.run({"--nproc", "1"}, python(kPrintsAndDies));
  CHECK(run.status == Status{.code = 128 + SIGKILL});
  Words expected;
  for (int i = 0; i < 21; ++i) expected.push_back("line " + std::to_string(i));
  CHECK(by_rank(run.out)[0] == expected);
  CHECK(contains(run.err, "  | line 19\n  | line 20\n"));

  // Control: with Python's buffer, which an empty value keeps, everything is lost.
  scene.env["PYTHONUNBUFFERED"] = "";
  const auto buffered = scene.run({"--nproc", "1"}, python(kPrintsAndDies));
  CHECK(buffered.status == Status{.code = 128 + SIGKILL});
  CHECK(buffered.out == "");
  CHECK_FALSE(contains(buffered.err, "line 20"));
}

TEST_CASE("the prompt of input() appears before the answer, on a pipe and on a terminal") {
  Scene scene;
  scene.env["NO_COLOR"] = "1";
  const Words asks = python(
      "import os, sys\n"
      "if os.environ['RANK'] == '1': print('other'); sys.exit()\n"
      "print('hello', input('name? '))\n");
  for (const auto stdio : {Stdio::pipes, Stdio::terminal}) {
    auto start = scene.start({"--nproc", "2", "--stdin", "0"}, asks);
    start.stdio = stdio;
    Process launch(std::move(start));
    launch.until_shown("[0] name? ");
    launch.send("Ada\n");
    CHECK(launch.wait() == Status{.code = 0});
    CHECK(contains(launch.out(), "hello Ada"));
    CHECK(contains(launch.out(), "[1] other"));
    scene.check_nothing_left(launch);
  }
}

TEST_CASE("the debugger of the --stdin rank works through the launcher") {
  const Scene scene;
  auto start = scene.start({"--nproc", "1", "--stdin", "0"},
                           python("x = 41\nbreakpoint()\nprint('end', x)\n"));
  start.stdio = Stdio::pipes;
  Process launch(std::move(start));
  launch.until_shown("(Pdb) ");
  launch.send("p x + 1\n");
  launch.until("42");
  launch.until_shown("(Pdb) ");
  launch.send("c\n");
  launch.until("end 41");
  CHECK(launch.wait() == Status{.code = 0});
}

TEST_CASE("a breakpoint() in a rank without input gets the advice to use --stdin") {
  const Scene scene;
  const std::string hint =
      "ddp-launch: rank 0 reads /dev/null; use --stdin 0 to give it ddp-launch's input\n";
  const Words flags{"--nproc", "1"};
  CHECK(contains(scene.run(flags, python("breakpoint()\nx = 1\n")).err, hint));
  CHECK(contains(scene.run(flags, python("input('name? ')")).err, hint));
  // The rank with standard input read all of it: the advice would be wrong.
  const auto ended = scene.run(flags + Words{"--stdin", "0"}, python("input('name? ')"));
  CHECK(ended.status == Status{.code = 1});
  CHECK(contains(ended.err, "EOFError: EOF when reading a line"));
  CHECK_FALSE(contains(ended.err, "/dev/null"));
}
