// --pty: each rank writes to its own terminals.
#include "tests/e2e/launch.hpp"

#include <signal.h>

using namespace ddp::test;

TEST_CASE("with --pty a rank's stdout and stderr are terminals, without it pipes") {
  const Scene scene;
  const Words raw{"tty 0 none", "tty 1 80x24 opost=0 echo=0", "tty 2 80x24 opost=0 echo=0",
                  "tty controlling none"};
  const auto with = scene.run({"--nproc", "2", "--pty"}, helper({"tty"}));
  CHECK(with.status == Status{.code = 0});
  CHECK(by_rank(with.out) == std::map<int, Words>{{0, raw}, {1, raw}});

  const auto without = scene.run({"--nproc", "1"}, helper({"tty"}));
  CHECK(by_rank(without.out)[0] ==
        Words{"tty 0 none", "tty 1 none", "tty 2 none", "tty controlling none"});
}

TEST_CASE("the two streams of a rank stay apart") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--pty"}, helper({"print", "out", "eprint", "err"}));
  CHECK(by_rank(run.out) == std::map<int, Words>{{0, {"out"}}, {1, {"out"}}});
  CHECK(by_rank(run.err) == std::map<int, Words>{{0, {"err"}}, {1, {"err"}}});
}

TEST_CASE("with --pty the last lines of a killed C program are not lost") {
  const Scene scene;
  const Words dies = helper({"stdio", "said before", "signal", "KILL"});
  const auto with = scene.run({"--nproc", "1", "--pty"}, dies);
  CHECK(with.status == Status{.code = 128 + SIGKILL});
  CHECK(with.out == "[0] said before\n");
  CHECK(contains(with.err, "  | said before\n"));
  CHECK(scene.run({"--nproc", "1"}, dies).out == "");
}

TEST_CASE("a rank's window is the launcher's minus the prefix") {
  Scene scene;
  scene.env["NO_COLOR"] = "1";
  const auto shown = [&](const Words& flags) {
    auto start = scene.start(flags, helper({"tty"}));
    start.stdio = Stdio::terminal;  // of 200 columns, 50 rows
    Process launch(std::move(start));
    auto run = finish(scene, launch);
    std::erase(run.out, '\r');
    return run.out;
  };
  CHECK(contains(shown({"--nproc", "1", "--pty"}), "[0] tty 1 196x50 opost=0 echo=0\n"));
  const auto wide = shown({"--nproc", "1", "--nnodes", "11", "--node-rank", "0", "--master-addr",
                           "127.0.0.1", "--master-port", "29512", "--pty"});
  CHECK(contains(wide, "[ 0] tty 2 195x50 opost=0 echo=0\n"));
  CHECK(contains(shown({"--nproc", "1", "--pty", "--output", "raw"}), "\ntty 1 200x50 "));
}

TEST_CASE("a rank that writes to pipes finds the size in COLUMNS and LINES") {
  Scene scene;
  scene.env["NO_COLOR"] = "1";
  const Words asks{"/bin/sh", "-c", "echo ${COLUMNS-unset} ${LINES-unset}"};
  const auto shown = [&](const Words& flags) {
    auto start = scene.start(flags, asks);
    start.stdio = Stdio::terminal;  // of 200 columns, 50 rows
    Process launch(std::move(start));
    auto run = finish(scene, launch);
    std::erase(run.out, '\r');
    return run.out;
  };
  CHECK(shown({"--nproc", "1"}) == "[0] 196 50\n");
  CHECK(shown({"--nproc", "1", "--output", "raw"}) == "200 50\n");
  CHECK(shown({"--nproc", "1", "--prefix", "rank {rank}: "}) == "rank 0: 192 50\n");
  CHECK(shown({"--nproc", "1", "--pty"}) == "[0] unset unset\n");  // it can ask
  CHECK(scene.run({"--nproc", "1"}, asks).out == "[0] unset unset\n");
  scene.env["COLUMNS"] = "40";
  CHECK(shown({"--nproc", "1"}) == "[0] 40 50\n");
}

TEST_CASE("Python sees a terminal of that size") {
  const Scene scene;
  const Words asks{"python3", "-c",
                   "import os, sys; print(sys.stdout.isatty(), sys.stderr.isatty(), "
                   "*os.get_terminal_size(1)) if sys.stdout.isatty() else print('no terminal')"};
  CHECK(scene.run({"--nproc", "1", "--pty"}, asks).out == "[0] True True 80 24\n");
  CHECK(scene.run({"--nproc", "1"}, asks).out == "[0] no terminal\n");
}

TEST_CASE("log files get the bytes as written, including an incomplete line") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "1", "--pty", "--log-dir", "logs", "--run-id", "a", "--tee", "1"},
                helper({"raw", "10%\\r", "raw", "20%\\r", "raw", "a\\tb\\nlast", "exit", "3"}));
  CHECK(run.status == Status{.code = 3});
  CHECK(read_file(scene.path("logs/a/attempt_0/0/stdout.log")) == "10%\r20%\ra\tb\nlast");
  CHECK(contains(run.err, "  | last\n"));
}
