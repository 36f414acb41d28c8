// TORCHELASTIC_ERROR_FILE: the ranks' own, and the one that a launch was started with.
#include "tests/e2e/python_rank.hpp"

#include <signal.h>

using namespace ddp::test;

namespace {

// Rank 0 writes this to its error file, as Python sees it (`path` is the file), and exits with 1.
Finished run_with_file(const Scene& scene, const std::string& writes) {
  return scene.run({"--nproc", "1"},
                   python("import os, sys\npath = os.environ['TORCHELASTIC_ERROR_FILE']\n" +
                          writes + "\nprint('last line'); sys.exit(1)\n"));
}

}  // namespace

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
        "os.symlink('/dev/zero', path)", "os.symlink(path, path)",
        "os.symlink('/proc/self/mem', path)", "os.rmdir(os.path.dirname(path))"}) {
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
