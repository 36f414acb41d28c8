// A Python exception in the failure report, the JUnit file and the events: from the rank's error
// file, or from its output.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

Words python(const std::string& program) { return {"python3", "-c", program}; }

// record(e): what torch.distributed.elastic.multiprocessing.errors.record writes.
const std::string kRecord =
    "import json, os, sys, time, traceback\n"
    "rank, path = os.environ['RANK'], os.environ['TORCHELASTIC_ERROR_FILE']\n"
    "def record(e):\n"
    "    with open(path, 'w') as file:\n"
    "        json.dump({'message': {'message': f'{type(e).__name__}: {e}', 'extraInfo': {\n"
    "            'py_callstack': traceback.format_exc(), 'timestamp': str(int(time.time()))}}},\n"
    "            file)\n";

const std::string kRaise =
    "def load(shard): raise ValueError(f'bad data in shard {shard}')\n"
    "def main():\n"
    "    for i in range(30): print('step', i)\n"
    "    load(7)\n";

const std::string kRecorded = kRecord + kRaise +
                              "try: main()\n"
                              "except Exception as e: record(e); raise\n";

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// The lines of the launcher, without those of the workers.
std::string report(const Finished& run) {
  std::string text;
  for (const auto& line : lines_of(run.err)) {
    if (line.starts_with("ddp-launch: ") || line.starts_with("  | ")) text += line + "\n";
  }
  return text;
}

// Rank 0 writes this to its error file, as Python sees it (`path` is the file), and exits with 1.
Finished run_with_file(const Scene& scene, const std::string& writes) {
  return scene.run({"--nproc", "1"},
                   python("import os, sys\npath = os.environ['TORCHELASTIC_ERROR_FILE']\n" +
                          writes + "\nprint('last line'); sys.exit(1)\n"));
}

}  // namespace

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

TEST_CASE("an error file explains a signal and any exit code") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "1"},
      python(kRecord + kRaise + "try: main()\nexcept Exception as e: record(e); os.abort()\n"));
  CHECK(run.status == Status{.code = 128 + SIGABRT});
  CHECK(contains(run.err, "was killed by SIGABRT"));
  CHECK(contains(run.err, ": ValueError: bad data in shard 7 (pid "));
  // Its lines do not repeat the exception, so they are shown too.
  CHECK(contains(report(run), "  | ValueError: bad data in shard 7\n"));
  CHECK(contains(report(run), "  | step 29\n"));
}

TEST_CASE("anything in place of an error file leaves the report as it is without") {
  const Scene scene;
  for (const std::string writes :
       {"pass", "open(path, 'w')", "open(path, 'w').write('{\"message\": {\"message\": \"Val')",
        "open(path, 'wb').write(bytes(range(256)))", "open(path, 'w').write('[' * 200000)",
        "open(path, 'w').write('{\"message\": \"' + 'x' * 300000 + '\"}')",
        "file = open(path, 'w'); file.truncate(1 << 40)", "os.mkdir(path)", "os.mkfifo(path)",
        "os.symlink('/dev/zero', path)", "os.symlink(path, path)", "os.symlink('/proc/kmsg', path)",
        "os.rmdir(os.path.dirname(path))"}) {
    CAPTURE(writes);
    const auto run = run_with_file(scene, writes);
    CHECK(run.status == Status{.code = 1});
    CHECK(contains(run.err, "ddp-launch: rank 0 exited with code 1 (pid "));
    CHECK(contains(run.err, "  | last line\n"));
  }
  // Control: the same with a file that is whole.
  const auto run = run_with_file(scene, "open(path, 'w').write('{\"message\": \"reason\"}')");
  CHECK(contains(run.err, "ddp-launch: rank 0 exited with code 1: reason (pid "));
}

TEST_CASE("what a terminal acts on does not reach it through an error file") {
  const Scene scene;
  const auto run = run_with_file(
      scene,
      "open(path, 'wb').write(b'{\"message\": {\"message\": \"E: "
      "\\\\u001b[2J\\\\u0007\\xff\\\\udcff"
      "\", \"extraInfo\": {\"py_callstack\": \"\\\\u001b]0;t\\\\u0007\\\\u009b\"}}}')");
  CHECK(contains(run.err, "exited with code 1: E: "));
  for (const char* const raw : {"\x1b", "\x07", "\xff", "\xc2\x9b"})
    CHECK_FALSE(contains(report(run), raw));
}

TEST_CASE("an error file of the attempt before is not read again") {
  for (const Words& flags : {Words{}, Words{"--log-dir", "logs"}}) {
    const Scene scene;
    const auto run = scene.run(
        Words{"--nproc", "1", "--max-restarts", "1"} + kRestartAtOnce + flags,
        python(kRecord + "if os.environ['TORCHELASTIC_RESTART_COUNT'] == '1': sys.exit(4)\n"
                         "later = path.replace('attempt_0', 'attempt_1')\n"
                         "os.makedirs(os.path.dirname(later), exist_ok=True)\n"
                         "open(later, 'w').write('{\"message\": \"stale\"}')\n"
                         "open(path, 'w').write('{\"message\": \"reason\"}')\n"
                         "sys.exit(3)\n"));
    CHECK(run.status == Status{.code = 4});
    CHECK(contains(run.err, "ddp-launch: rank 0 exited with code 4 (pid "));
    CHECK_FALSE(contains(run.err, "exited with code 4: "));
  }
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

TEST_CASE("the directory of the error file exists for every rank of every attempt") {
  const Scene scene;
  for (const Words& flags :
       {Words{}, Words{"--log-dir", "logs"}, Words{"--log-dir", "logs", "--redirects", "3"}}) {
    CAPTURE(flags.size());
    const auto run = scene.run(
        Words{"--nproc", "3", "--max-restarts", "1"} + kRestartAtOnce + flags,
        python(kRecord + "made = '" + scene.path("made") +
               ".' + os.environ['TORCHELASTIC_RESTART_COUNT'] + '.'\n"
               "open(path, 'x').write('{}')\n"
               "open(made + rank, 'w')\n"
               "while not all(os.path.exists(made + str(r)) for r in range(3)): time.sleep(0.01)\n"
               "sys.exit(5)\n"));
    CHECK(run.status == Status{.code = 5});
    for (const char* made :
         {"made.0.0", "made.0.1", "made.0.2", "made.1.0", "made.1.1", "made.1.2"})
      CHECK(std::filesystem::remove(scene.path(made)));
  }
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

TEST_CASE("a failed run writes the error file that it was started with") {
  Scene scene;
  const std::string path = scene.path("outer.json");
  scene.env["TORCHELASTIC_ERROR_FILE"] = path;
  const Words aborts =
      python(kRecord + kRaise + "try: main()\nexcept Exception as e: record(e); os.abort()\n");
  CHECK(scene.run({"--nproc", "1"}, aborts).status == Status{.code = 128 + SIGABRT});
  CHECK(contains(read_file(path), "\"message\":\"ValueError: bad data in shard 7\""));
  CHECK(contains(read_file(path), "\"errorCode\":-6"));
  // Without an exception there is nothing to write.
  std::filesystem::remove(path);
  CHECK(scene.run({"--nproc", "1"}, helper({"exit", "3"})).status == Status{.code = 3});
  CHECK(scene.run({"--nproc", "1"}, helper({"exit", "0"})).status == Status{.code = 0});
  CHECK_FALSE(std::filesystem::exists(path));
  // What cannot be written is reported, and changes nothing else.
  scene.env["TORCHELASTIC_ERROR_FILE"] = scene.path("none/outer.json");
  const auto run = scene.run({"--nproc", "1"}, python(kRaise + "main()\n"));
  CHECK(run.status == Status{.code = 1});
  CHECK(contains(run.err, "warning: cannot write TORCHELASTIC_ERROR_FILE: "));
}

TEST_CASE("Ctrl-C at a Python group is reported in two lines, whatever it prints") {
  const Scene scene;
  for (const std::string end : {"", "sys.exit(1)", "raise"}) {
    CAPTURE(end);
    const std::string program = end.empty()
                                    ? "import time; print('up', flush=True); time.sleep(9999)\n"
                                    : "import sys, time, traceback\n"
                                      "print('up', flush=True)\n"
                                      "try: time.sleep(9999)\n"
                                      "except KeyboardInterrupt: traceback.print_exc(); " +
                                          end + "\n";
    Process launch = scene.launch({"--nproc", "2"}, python(program));
    for (int i = 0; i < 2; ++i) launch.until("up");
    launch.send_signal(SIGINT);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 130});
    const auto lines = lines_of(report(run));
    CHECK_MESSAGE(lines.size() == 2, run.err);
    CHECK(lines[0].starts_with("ddp-launch: stopped by SIGINT, at "));
    CHECK(lines[1] == (end == "sys.exit(1)" ? "ddp-launch: ranks 0, 1 exited with code 1"
                                            : "ddp-launch: ranks 0, 1 ended by SIGINT"));
  }
  // Control: another exception while the rank stops is shown.
  Process launch = scene.launch({"--nproc", "1"},
                                python("import time\nprint('up', flush=True)\n"
                                       "try: time.sleep(9999)\n"
                                       "except KeyboardInterrupt: raise OSError('disk full')\n"));
  launch.until("up");
  launch.send_signal(SIGINT);
  CHECK(contains(report(finish(scene, launch)), "  | OSError: disk full\n"));
}
