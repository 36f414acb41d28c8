// A Python exception in the failure report, the JUnit file and the events: from the rank's error
// file, or from its output.
#include "tests/e2e/python_rank.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>

using namespace ddp::test;

TEST_CASE("a recorded exception is in the report, the JUnit file and the events") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "1", "--junit", scene.path("run.xml"), "--log-dir", "logs", "--run-id", "x"},
      python(kRecorded));
  CHECK(run.status == Status{.code = 1});
  const auto text = report(run);
  CHECK(contains(text,
                 "ddp-launch: rank 0 exited with code 1: ValueError: bad data in shard 7 "
                 "(pid "));
  CHECK(contains(text, "  | Traceback (most recent call last):\n  |   File \"<string>\", line "));
  CHECK(contains(text, ", in load\n"));
  CHECK(contains(text, "  | ValueError: bad data in shard 7\n"));
  CHECK_FALSE(contains(text, "step 29"));  // in place of the last lines, which repeat it

  const auto junit = read_file(scene.path("run.xml"));
  CHECK(contains(junit, "expected 0, measured 1; rank 0: ValueError: bad data in shard 7"));
  CHECK(contains(junit, ", in load&#10;"));
  const auto failures = events_named(scene.path("logs/x/events.jsonl"), "failure");
  REQUIRE(failures.size() == 1);
  CHECK(field(failures[0], "exception") == "ValueError: bad data in shard 7");
  CHECK(contains(field(failures[0], "traceback"), ", in load\n"));
  CHECK(contains(read_file(scene.path("logs/x/attempt_0/0/error.json")), "bad data in shard 7"));
}

TEST_CASE("a recorded exception is shown with its whole message, its cause and its last frame") {
  const Scene scene;
  const std::string deep = "def deep(n):\n    if n: return deep(n - 1)\n    fail()\n";
  const auto lines_below = [&](const std::string& fail) {
    return report(scene.run({"--nproc", "1"},
                            python(kRecord + deep + "def fail():\n" + fail +
                                   "try: deep(30)\nexcept Exception as e: record(e); raise\n")));
  };
  const auto keys = lines_below("    raise RuntimeError('in loading:\\n\\tMissing key: w')\n");
  CHECK(count(keys, "  | RuntimeError: in loading:\n") == 1);
  CHECK(count(keys, "Missing key: w\n") == 1);
  CHECK(contains(keys, ", in fail\n"));
  const auto caused = lines_below("    raise RuntimeError('no lr') from KeyError('lr')\n");
  CHECK(contains(caused, "  | KeyError: 'lr'\n"));
  CHECK(contains(caused, ", in fail\n"));
  CHECK(contains(caused, "  | RuntimeError: no lr\n"));
  const auto group = lines_below(
      "    if sys.version_info < (3, 11): raise ValueError('1\\nTypeError: 2')\n"
      "    raise ExceptionGroup('two', [ValueError(1), TypeError(2)])\n");
  CHECK(contains(group, "ValueError: 1\n"));
  CHECK(contains(group, "TypeError: 2\n"));
}

TEST_CASE("the stack of C++ in a message does not hide the exception") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "1"},
      python("raise RuntimeError('NCCL error\\nException raised from f at a.cpp:3 (most recent "
             "call first):\\n' + ''.join(f'frame #{i}: c10::f + 0x1\\n' for i in range(20)))\n"));
  CHECK(contains(run.err, "exited with code 1: RuntimeError: NCCL error (pid "));
}

TEST_CASE("an exception that was not recorded is read from the rank's output") {
  const Scene scene;
  for (const Words& flags :
       {Words{}, Words{"--output", "none"}, Words{"--log-dir", "logs", "--redirects", "3"}}) {
    CAPTURE(flags.size());
    const auto run = scene.run(Words{"--nproc", "1"} + flags, python(kRaise + "main()\n"));
    CHECK(run.status == Status{.code = 1});
    const auto text = report(run);
    CHECK(contains(text,
                   "ddp-launch: rank 0 exited with code 1: ValueError: bad data in shard 7 "
                   "(pid "));
    CHECK(contains(text, "  | step 29\n"));
    CHECK(count(text, "ValueError: bad data in shard 7") == 2);
  }
}

TEST_CASE("Python's own tracebacks are recognised in all their forms") {
  const Scene scene;
  write_file(scene.path("bad.py"), "x = = 1\n");
  const std::map<std::string, std::string> programs{
      {"raise ValueError", "ValueError"},
      {"raise ValueError('one\\ntwo')", "ValueError: one"},
      {"1 / 0", "ZeroDivisionError: division by zero"},
      {"import subprocess; subprocess.run(['false'], check=True)",
       "subprocess.CalledProcessError: Command '['false']' returned non-zero exit status 1."},
      {"import bad", "SyntaxError: invalid syntax"},
      {"x = = 1", "SyntaxError: invalid syntax"},
      {"def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"},
      {"try: {}['lr']\nexcept KeyError: raise RuntimeError('no lr')", "RuntimeError: no lr"},
      {"raise RuntimeError('no lr') from KeyError('lr')", "RuntimeError: no lr"},
      {"class C:\n  def __del__(self): raise OSError('late')\nc = C()\nraise ValueError('bad')",
       "ValueError: bad"},
      {"import atexit\natexit.register(lambda: 1 / 0)\nraise ValueError('bad')", "ValueError: bad"},
      {"import sys\nif sys.version_info < (3, 11): raise ValueError('skip')\n"
       "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])",
       "ExceptionGroup: two (2 sub-exceptions)"},
  };
  for (const auto& [program, exception] : programs) {
    CAPTURE(program);
    const auto run = scene.run({"--nproc", "1"}, python(program));
    CHECK(run.status == Status{.code = 1});
    CHECK_MESSAGE((contains(run.err, "exited with code 1: " + exception) ||
                   contains(run.err, "exited with code 1: ValueError: skip")),
                  run.err);
  }
}

TEST_CASE("what did not end the rank is not claimed to have") {
  const Scene scene;
  const std::string handled =
      "import os, sys, traceback\ntry: 1 / 0\nexcept Exception: traceback.print_exc()\n";
  const auto first_line = [&](const std::string& program) {
    for (const auto& line : lines_of(scene.run({"--nproc", "1"}, python(program)).err)) {
      if (line.starts_with("ddp-launch: rank 0 ")) return line;
    }
    return std::string("none");
  };
  CHECK(contains(first_line(handled + "for i in range(30): print('step', i)\nsys.exit(1)\n"),
                 "exited with code 1 (pid "));
  CHECK(contains(first_line(handled + "sys.exit(3)\n"), "exited with code 3 (pid "));
  CHECK(contains(first_line(handled + "os.kill(os.getpid(), 9)\n"), "by SIGKILL (pid "));
  CHECK(contains(first_line("import sys\nprint('Traceback: none'); sys.exit('ValueError: x')\n"),
                 "exited with code 1 (pid "));
  CHECK(contains(first_line("import sys, threading\n"
                            "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()\n"
                            "sys.exit(1)\n"),
                 "exited with code 1 (pid "));
  // Control: handled, and the program exits because of it.
  CHECK(contains(first_line(handled + "sys.exit(1)\n"),
                 "exited with code 1: ZeroDivisionError: division by zero (pid "));
}

TEST_CASE("the first exception is named where its rank exits after a peer") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "2"},
                python(kRecord + "go = '" + scene.path("go") + "'\n" +
                       "if rank == '0':\n"
                       "    try: raise ValueError('first')\n"
                       "    except ValueError as e: record(e)\n"
                       "    open(go, 'w')\n"
                       "    while True: time.sleep(9)\n"
                       "while not os.path.exists(go): time.sleep(0.01)\n"
                       "probe = go + '.1'\n"  // until a file's time differs
                       "while True:\n"
                       "    open(probe, 'w').close()\n"
                       "    if os.stat(probe).st_mtime_ns > os.stat(go).st_mtime_ns: break\n"
                       "try: raise ConnectionError('peer')\n"
                       "except ConnectionError as e: record(e); raise\n"));
  CHECK(run.status == Status{.code = 1});
  CHECK(contains(run.err, "ddp-launch: rank 1 exited with code 1: ConnectionError: peer (pid "));
  CHECK(contains(run.err, "ddp-launch: rank 0 recorded an exception "));
  CHECK(contains(run.err, " earlier: ValueError: first\n"));
}

TEST_CASE("a nested launch passes the exception on to the launch above it") {
  const Scene scene;
  write_file(scene.path("inner.py"), kRecorded);
  const Words inner{launcher_path(), "--nproc", "2", "--", "python3", "inner.py"};
  const auto run = scene.run({"--nproc", "1"}, inner);
  CHECK(run.status == Status{.code = 1});
  CHECK(count(run.err, "exited with code 1: ValueError: bad data in shard 7 (pid ") == 2);

  // The rank's file is its own: a worker of the nested launch does not write it.
  const auto survived =
      scene.run({"--nproc", "1"},
                {"sh", "-c",
                 launcher_path() + " --nproc 1 -- sh -c 'echo \"$TORCHELASTIC_ERROR_FILE\"'; "
                                   "echo \"$TORCHELASTIC_ERROR_FILE\""});
  const auto paths = by_rank(survived.out)[0];
  REQUIRE(paths.size() == 2);
  CHECK_FALSE(contains(paths[0], paths[1]));
}

TEST_CASE("Ctrl-C at a Python group is reported in two lines, whatever it prints") {
  const Scene scene;
  // Within the `try`, and in short sleeps: Python only notes a signal that comes before the system
  // call, and acts on it once the sleep is over.
  const std::string kWait = "print('up', flush=True)\n  while True: time.sleep(0.01)\n";
  for (const std::string end : {"", "sys.exit(1)", "raise"}) {
    CAPTURE(end);
    const std::string program =
        end.empty() ? "import time\nif True:\n  " + kWait
                    : "import sys, time, traceback\ntry:\n  " + kWait +
                          "except KeyboardInterrupt: traceback.print_exc(); " + end + "\n";
    Process launch = scene.launch({"--nproc", "2"}, python(program));
    for (int i = 0; i < 2; ++i) launch.until("up");
    launch.send_signal(SIGINT);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 130});
    auto lines = lines_of(report(run));
    // A rank that needs more than a second, on a busy machine, is waited for aloud.
    std::erase_if(lines, [](const auto& line) { return contains(line, "; waiting up to "); });
    REQUIRE_MESSAGE(lines.size() == 2, run.err);
    CHECK(lines[0].starts_with("ddp-launch: stopped by SIGINT, at "));
    CHECK(lines[1] == (end == "sys.exit(1)" ? "ddp-launch: ranks 0, 1 exited with code 1"
                                            : "ddp-launch: ranks 0, 1 ended by SIGINT"));
  }
  // Control: another exception while the rank stops is shown.
  Process launch = scene.launch({"--nproc", "1"},
                                python("import time\ntry:\n  " + kWait +
                                       "except KeyboardInterrupt: raise OSError('disk full')\n"));
  launch.until("up");
  launch.send_signal(SIGINT);
  CHECK(contains(report(finish(scene, launch)), "  | OSError: disk full\n"));
}
