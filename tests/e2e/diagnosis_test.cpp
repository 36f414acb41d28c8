// The diagnosis of a failure in the report, the events and the JUnit file.
#include "tests/e2e/python_rank.hpp"
#include "tests/support/json_lines.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace ddp::test;

namespace {

const std::string kOutOfMemory =
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.";
const std::string kClosed =
    "RuntimeError: [../gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.2]:33116";
constexpr const char* kDiagnosed =
    "\n  diagnosis: GPU memory is exhausted (CUDA out of memory)\n  try: ";

// Two ranks that write a line each and exit with 1: rank 1 once rank 0 waits for the stop signal,
// and rank 0 on it.
Words two_lines(const Scene& scene, const std::string& root, const std::string& victim) {
  return {"python3",
          "-c",
          "import os, signal, sys\n"
          "root, victim, fifo = sys.argv[1:]\n"
          "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
          "try: os.mkfifo(fifo)\n"
          "except FileExistsError: pass\n"
          "if os.environ['RANK'] == '1':\n"
          "    open(fifo).read()\n"
          "    sys.stderr.write(root + '\\n')\n"
          "else:\n"
          "    open(fifo, 'w').close()\n"
          "    signal.sigwait({signal.SIGTERM})\n"
          "    sys.stderr.write(victim + '\\n')\n"
          "sys.exit(1)\n",
          root,
          victim,
          scene.path("go")};
}

}  // namespace

TEST_CASE("a diagnosis is below the verdict, in the event and in the JUnit file") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "2", "--junit", scene.path("run.xml"), "--log-dir", "logs", "--run-id", "x"},
      two_lines(scene, kOutOfMemory, "stopped"));
  CHECK(run.status == Status{.code = 1});
  CHECK(contains(run.err, kDiagnosed));
  CHECK(run.err.find("rank 1 exited with code 1") < run.err.find("  diagnosis: "));
  const auto failures = events_named(scene.path("logs/x/events.jsonl"), "failure");
  REQUIRE(failures.size() == 1);
  CHECK(field(failures[0], "cause") == "exit 1");
  CHECK(field(failures[0], "diagnosis") == "cuda-out-of-memory");
  CHECK(contains(field(failures[0], "diagnosis_cause"), "GPU memory is exhausted"));
  CHECK(contains(field(failures[0], "remedy"), "PYTORCH_CUDA_ALLOC_CONF"));
  CHECK(field(failures[0], "evidence") == kOutOfMemory);
  const auto junit = read_file(scene.path("run.xml"));
  CHECK(contains(junit, "measured 1; diagnosis: GPU memory is exhausted (CUDA out of memory)"));
  CHECK(contains(junit, "&#10;try: "));
}

TEST_CASE("a failure that no signature matches has no diagnosis") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--log-dir", "logs", "--run-id", "x"},
                             two_lines(scene, "bad data in shard 7", kClosed));
  CHECK(run.status == Status{.code = 1});
  CHECK_FALSE(contains(run.err, "diagnosis: "));
  const auto failures = events_named(scene.path("logs/x/events.jsonl"), "failure");
  REQUIRE(failures.size() == 1);
  CHECK_FALSE(contains(read_file(scene.path("logs/x/events.jsonl")), "\"diagnosis\""));
}

TEST_CASE("a victim's lines are searched only where the root cause shows none") {
  const Scene scene;
  CHECK(contains(scene.run({"--nproc", "2"}, two_lines(scene, kOutOfMemory, kClosed)).err,
                 kDiagnosed));
  CHECK(contains(
      scene.run({"--nproc", "2"}, two_lines(scene, kClosed, kOutOfMemory)).err,
      "diagnosis: GPU memory is exhausted (CUDA out of memory) (from the output of rank 0)"));
  CHECK(contains(scene.run({"--nproc", "2"}, two_lines(scene, kClosed, "stopped")).err,
                 "diagnosis: a peer closed its connection"));
}

TEST_CASE("a recorded exception is diagnosed too") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "1", "--output", "none"},
                             python(kRecord + "class OutOfMemoryError(RuntimeError): pass\n"
                                              "try: raise OutOfMemoryError('CUDA out of memory.')\n"
                                              "except Exception as e: record(e); sys.exit(7)\n"));
  CHECK(run.status == Status{.code = 7});
  CHECK(contains(run.err, kDiagnosed));
}

TEST_CASE("each failed attempt is diagnosed, and a restart does not wait for it") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "2", "--max-restarts", "1", "--log-dir", "logs", "--run-id", "x"},
                two_lines(scene, kOutOfMemory, "stopped"));
  CHECK(contains(run.err, "ddp-launch: attempt 0: diagnosis: GPU memory is exhausted"));
  CHECK(contains(run.err, kDiagnosed));  // of the last one, in its report
  const auto failures = events_named(scene.path("logs/x/events.jsonl"), "failure");
  REQUIRE(failures.size() == 2);
  for (const auto& one : failures) CHECK(field(one, "diagnosis") == "cuda-out-of-memory");
}

TEST_CASE("a failure that a fault caused has no diagnosis") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "1", "--inject", "signal=SEGV@after=100ms,rank=0"},
                             {"sh", "-c", "echo 'CUDA error: out of memory'; sleep 60"});
  CHECK(contains(run.err, "injected: "));
  CHECK_FALSE(contains(run.err, "diagnosis: "));
}

TEST_CASE("a program with CRLF line ends is diagnosed though it never ran") {
  const Scene scene;
  const std::string path = scene.path("train.sh");
  std::ofstream(path) << "#!/bin/sh\r\necho hi\r\n";
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  const auto run = scene.run({"--nproc", "1"}, {path});
  CHECK(run.status == Status{.code = 127});
  CHECK(contains(run.err, "diagnosis: the script has Windows line ends (CRLF)"));
}

TEST_CASE("failures that this machine can have are diagnosed by what programs really write") {
  const struct {
    const char* signature;
    Words command;
  } failures[] = {
      {"missing-module", python("import no_such_module_here\n")},
      {"missing-file", python("open('/nowhere/at/all')\n")},
      {"disk-full", python("open('/dev/full', 'wb', 0).write(b'x')\n")},
      {"file-too-large",
       python("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
              "open('big', 'wb', 0).write(bytes(4096)), open('big', 'ab', 0).write(b'x')\n")},
      {"host-memory-exhausted",
       python("import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))\n"
              "bytearray(1 << 30)\n")},
      {"address-in-use", python("import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
                                "socket.create_server(s.getsockname())\n")},
      // Bound, but nothing listens on it.
      {"master-refused", python("import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\n"
                                "socket.create_connection(s.getsockname())\n")},
      {"checkpoint-damaged", python("import pickle\npickle.loads(b'x')\n")},
      {"recursion", python("def f(): f()\nf()\n")},
      {"python-syntax", python("x = (\n")},
      {"bad-arguments", python("import argparse\n"
                               "argparse.ArgumentParser(prog='train.py').parse_args(['--x'])\n")},
      {"script-not-found", {"python3", "/nowhere/train.py"}},
      {"command-not-found", {"sh", "-c", "no-such-command-here"}},
      {"segmentation-fault", {"sh", "-c", "kill -SEGV $$"}},
      {"illegal-instruction", {"sh", "-c", "kill -ILL $$"}},
      {"permission", {"/etc/passwd"}},
  };
  for (const auto& failure : failures) {
    CAPTURE(failure.signature);
    const Scene scene;
    scene.run({"--nproc", "1", "--log-dir", "logs", "--run-id", "x"}, failure.command);
    const auto events = events_named(scene.path("logs/x/events.jsonl"), "failure");
    REQUIRE(events.size() == 1);
    CHECK(field(events[0], "diagnosis") == failure.signature);
  }
}

TEST_CASE("a full disk of the run's files is diagnosed though the rank writes nothing of it") {
  const Scene scene;
  const std::string logs = scene.path("logs");
  const auto fill = [&](const char* what) {
    return scene.run({"--nproc", "1", "--log-dir", logs},
                     {"sh", "-c", std::string("cat ") + what + " >logs/fill 2>/dev/null; exit 3"});
  };
  std::filesystem::create_directory(logs);
  if (mount("tmpfs", logs.c_str(), "tmpfs", 0, "size=2m") != 0) {
    MESSAGE("no file system can be mounted here: this is not tried");
    return;
  }
  const auto room = fill("/dev/null");
  const auto full = fill("/dev/zero");
  umount2(logs.c_str(), MNT_DETACH);
  CHECK(room.status == Status{.code = 3});
  CHECK_FALSE(contains(room.err, "diagnosis: "));
  CHECK(full.status == Status{.code = 3});
  CHECK(contains(full.err, "diagnosis: the disk of the run's files is full"));
}

TEST_CASE("the user's signatures come first, and a bad file is refused before the start") {
  const Scene scene;
  const auto write = [&](const std::string& text) {
    std::ofstream(scene.path("site.toml")) << text;
    return scene.path("site.toml");
  };
  const std::string words = "[[signature]]\nname = 'site'\ncause = 'ours'\nremedy = 'call us'\n";
  const auto good = write(words + "text = 'out of memory'\n");
  const auto run =
      scene.run({"--nproc", "2", "--diagnose", good}, two_lines(scene, kOutOfMemory, ""));
  CHECK(contains(run.err, "\n  diagnosis: ours\n  try: call us\n"));
  CHECK_FALSE(contains(run.err, "GPU memory"));
  const auto refused = [&](const std::string& text) {
    const auto bad = scene.run({"--nproc", "1", "--diagnose", write(text)}, {"echo", "started"});
    CHECK(bad.status == Status{.code = 2});
    CHECK_FALSE(contains(bad.out, "started"));
    CHECK(lines_of(bad.err).size() == 1);
    return bad.err;
  };
  CHECK(contains(refused(words + "exit = 0\n"), "site.toml:5:8: 'exit': expected one or an array"));
  CHECK(contains(refused(words + "text = 'a'\nsample = 'b'\n"), "'site' does not match it"));
  CHECK(contains(refused("[[signature]\n"), "site.toml:1:"));
  const auto gone = scene.run({"--nproc", "1", "--diagnose", "/nowhere.toml"}, {"true"});
  CHECK(gone.status == Status{.code = 2});
  CHECK(contains(gone.err, "--diagnose: /nowhere.toml: No such file or directory"));
}

TEST_CASE("hostile last lines are diagnosed in bounded time") {
  const Scene scene;
  const auto run = scene.run(
      {"--nproc", "2", "--output", "none"},
      python(
          "import os, sys\n"
          "for i in range(64): os.write(2, b'\\0\\xff\\x1b[31mCUDA error: (((' * 4000 + b'\\n')\n"
          "os.write(2, b'\\0\\0 CUDA error: out of memory\\n'); os._exit(1)\n"));
  CHECK(run.status == Status{.code = 1});
  CHECK(contains(run.err, kDiagnosed));
}
