// Ranks that --preload forks behave as ranks that ddp-launch starts. Most tests run both ways.
#include "tests/e2e/launch.hpp"

#include <signal.h>

#include <algorithm>
#include <fstream>

using namespace ddp::test;

namespace {

const Words kWays[] = {{}, {"--preload", "json,decimal"}};

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A Python program of a scene, which imports from the scene's directory.
Words script(const Scene& scene, const std::string& text, const std::string& name = "train.py") {
  std::ofstream(scene.path(name)) << text;
  return {"python3", name};
}

// counted.py writes a line each time a process imports it.
Words count_imports(const Scene& scene) {
  script(scene, "open('" + scene.path("imports") + "', 'a').write('imported\\n')\n", "counted.py");
  return {"--preload", "counted"};
}

std::size_t imports(const Scene& scene) { return lines_of(read(scene.path("imports"))).size(); }

// The process that forks the ranks; 0: there is none.
int preloader_of(const Process& launch) {
  const int supervisor = supervisor_pid(launch);
  for (const auto& process : launch.below()) {
    const std::string command = read("/proc/" + std::to_string(process.pid) + "/cmdline");
    const std::string status = read("/proc/" + std::to_string(process.pid) + "/status");
    if (contains(command, "ddp_launch_preload") &&
        contains(status, "PPid:\t" + std::to_string(supervisor) + "\n"))
      return process.pid;
  }
  return 0;
}

}  // namespace

TEST_CASE("a rank ends as Python ends: code, signal, output and traceback") {
  const std::string programs[] = {
      "print('fine')\n",
      "import sys\nsys.exit(3)\n",
      "import sys\nsys.exit('a reason')\n",
      "import sys\nsys.exit(None)\n",
      "def f():\n    raise ValueError('bad')\nf()\n",
      "raise KeyboardInterrupt\n",
      "x = (\n",
      "import os\nos._exit(7)\n",
      "import os\nos.kill(os.getpid(), 9)\n",
      "import os\nos.kill(os.getpid(), 11)\n",
      "import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\n",
      "import os, signal\nos.kill(os.getpid(), signal.SIGPIPE)\nprint('ignored')\n",
      "import atexit, threading\n"
      "atexit.register(print, 'at exit')\n"
      "threading.Timer(0.01, print, ['thread']).start()\nprint('main')\n",
      "import sys\nsys.excepthook = lambda *a: print('hook', a[1])\n1 / 0\n",
      "import os, sys\nprint('x')\nos.close(1)\nprint('y' * 9000)\n",
      "import warnings\nwarnings.warn('careful')\n",
  };
  for (const auto& text : programs) {
    CAPTURE(text);
    Scene scene;
    scene.env["NO_COLOR"] = "1";
    const auto program = script(scene, text);
    const auto started = scene.run({"--nproc", "1"}, program);
    const auto forked = scene.run(Words{"--nproc", "1"} + kWays[1], program);
    CHECK(forked.status == started.status);
    CHECK(forked.out == started.out);
    const auto of_rank = [](const Finished& run) { return by_rank(run.err)[0]; };
    CHECK(of_rank(forked) == of_rank(started));
  }
}

TEST_CASE("a rank finds what a new Python finds") {
  const char* const kFacts =
      "import os, sys, signal, threading, resource\n"
      "print(sorted(k for k in globals()), __name__, __file__, __package__, "
      "getattr(__spec__, 'name', None), type(__loader__))\n"
      "print(sys.argv, sys.orig_argv, sys.path, sys.flags)\n"
      "print([signal.getsignal(n) for n in range(1, 65)])\n"
      "def read(name):\n"
      "    with open('/proc/self/' + name, errors='surrogateescape') as file: return file.read()\n"
      "print([l for l in read('status').split('\\n') if l[:6] in ('SigPnd', 'ShdPnd', 'SigBlk', "
      "'SigIgn', 'SigCgt', 'Thread')])\n"
      "print(os.getcwd(), oct(os.umask(0)), os.getsid(0) == os.getpid() == os.getpgrp())\n"
      "print(sorted(os.listdir('/proc/self/fd')), resource.getrlimit(resource.RLIMIT_NOFILE))\n"
      "print(sys.stdin, sys.stdout, sys.stderr, sys.stdout.write_through, os.isatty(1))\n"
      "print(read('cmdline').split('\\0'), read('comm'))\n"
      "private = ('MASTER_PORT', 'NCCL_RAS', 'NOTIFY', 'DDP_RUN', 'TORCHELASTIC', 'DDP_TEST')\n"
      "env = {k: v for k, v in os.environ.items() if not k.startswith(private)}\n"
      "print(ascii(sorted(env.items())))\n"
      "kernel = dict(e.split('=', 1) for e in read('environ').split('\\0') if e)\n"
      "print({k: v for k, v in os.environ.items() if kernel.get(k) != v}, "
      "threading.current_thread().name, threading.active_count())\n"
      "print(sys.stdin.read(), sys.stdin.fileno(), hash('a') == 5)\n";
  Scene scene;
  scene.env["DDP_TEST_ODD"] = "two\nlines \xff";
  for (const Words& command : {script(scene, kFacts) + Words{"--flag", "a b", ""},
                               Words{"python3", "-u", "-O", "-W", "error", "train.py"},
                               Words{"python3", "-m", "train", "x"}}) {
    CAPTURE(command.at(1));
    const auto started = scene.run({"--nproc", "1"}, command);
    const auto forked = scene.run(Words{"--nproc", "1"} + kWays[1], command);
    CHECK(started.status == Status{.code = 0});
    CHECK(forked.status == Status{.code = 0});
    const auto want = lines_of(started.out);
    const auto have = lines_of(forked.out);
    REQUIRE(have.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(have[i] == want[i]);
    CHECK(forked.err == started.err);
  }
}

TEST_CASE("classes of __main__ are pickled, multiprocessing spawns, the input is read") {
  Scene scene;
  const auto program =
      script(scene,
             "import multiprocessing, pickle, sys\n"
             "class Thing:\n    pass\n"
             "def double(x):\n    return 2 * x\n"
             "if __name__ == '__main__':\n"
             "    print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)\n"
             "    for way in ('spawn', 'fork', 'forkserver'):\n"
             "        with multiprocessing.get_context(way).Pool(2) as pool:\n"
             "            print(way, pool.map(double, [1, 2]))\n"
             "    print(sys.stdin.read(), sys.stdin.seek(0), sys.stdin.readline())\n");
  std::ofstream(scene.path("input")) << "a line\nanother\n";
  for (const auto& way : kWays) {
    auto start = scene.start(Words{"--nproc", "1", "--stdin", "0"} + way, program);
    Process launch(redirected(start, "< " + scene.path("input")));
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 0});
    CHECK(by_rank(run.out)[0] == Words{"True", "spawn [2, 4]", "fork [2, 4]", "forkserver [2, 4]",
                                       "a line", "another", " 0 a line", ""});
  }
}

TEST_CASE("modules are imported once, for every rank of every attempt") {
  for (const bool preloaded : {false, true}) {
    Scene scene;
    auto flags = count_imports(scene);
    if (!preloaded) flags.clear();
    const auto program = script(scene,
                                "import os, random, sys, counted\n"
                                "print(os.environ['TORCHELASTIC_RESTART_COUNT'], random.random())\n"
                                "sys.exit(os.environ['TORCHELASTIC_RESTART_COUNT'] == '0')\n");
    const auto run =
        scene.run(Words{"--nproc", "3", "--max-restarts", "1"} + kRestartAtOnce + flags, program);
    CHECK(run.status == Status{.code = 0});
    // Ranks of the failed attempt may be stopped before they import.
    if (preloaded) {
      CHECK(imports(scene) == 1);
    } else {
      CHECK(imports(scene) >= 4);
    }
    // Each rank has its own random numbers.
    auto numbers = lines_of(run.out);
    for (auto& line : numbers) line = line.substr(line.rfind(' '));
    std::sort(numbers.begin(), numbers.end());
    CHECK(numbers.size() >= 3);
    CHECK(std::unique(numbers.begin(), numbers.end()) == numbers.end());
  }
}

TEST_CASE("a killed rank, its children and a daemon leave nothing; the preloader is no leftover") {
  for (const auto& way : kWays) {
    Scene scene;
    const auto program = script(scene,
                                "import os, signal, subprocess, sys, time\n"
                                "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                                "if os.environ['RANK'] == '1':\n"
                                "    subprocess.Popen(['sleep', '1000'])\n"
                                "    subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
                                "    if os.fork() == 0:\n"
                                "        os.setsid()\n"
                                "        if os.fork() == 0: time.sleep(1000)\n"
                                "        os._exit(0)\n"
                                "    os.wait()\n"
                                "    os.kill(os.getpid(), 9)\n"
                                "time.sleep(1000)\n");
    const auto run = scene.run(Words{"--nproc", "4", "--max-restarts", "2", "--shutdown-timeout",
                                     "300ms", "--log-dir", "logs", "--run-id", "r"} +
                                   kRestartAtOnce + way,
                               program);
    CHECK(run.status == Status{.code = 128 + SIGKILL});
    std::size_t killed = 0;
    for (const auto& line : lines_of(read(scene.path("logs/r/events.jsonl")))) {
      CHECK_FALSE(contains(line, "ddp_launch_preload"));
      if (!contains(line, "leftover_killed")) continue;
      ++killed;
      CHECK(contains(line, "\"rank\":1"));  // also of the daemon, by its environment
    }
    CHECK(killed >= 9);
  }
}

TEST_CASE("a killed preloader is reported, and ranks start the ordinary way") {
  Scene scene;
  const auto flags = count_imports(scene);
  const auto program = script(scene,
                              "import os, sys, time, counted\n"
                              "print('up', os.environ['TORCHELASTIC_RESTART_COUNT'], flush=True)\n"
                              "if os.environ['TORCHELASTIC_RESTART_COUNT'] == '1': sys.exit(0)\n"
                              "os.read(os.open('" +
                                  scene.path("go") +
                                  "', os.O_RDONLY), 1)\n"
                                  "sys.exit(1)\n");
  Process fifo({.argv = {"mkfifo", scene.path("go")}, .env = {{"PATH", "/usr/bin:/bin"}}});
  REQUIRE(fifo.wait() == Status{.code = 0});
  auto launch = scene.launch(
      Words{"--nproc", "2", "--max-restarts", "1", "--log-dir", "logs", "--run-id", "r"} +
          kRestartAtOnce + flags,
      program);
  launch.until("up 0");
  launch.until("up 0");
  const int preloader = preloader_of(launch);
  REQUIRE(preloader > 1);
  CHECK(imports(scene) == 1);
  kill(preloader, SIGKILL);
  CHECK(contains(launch.until_err("preloader"), "was killed by SIGKILL"));
  std::ofstream(scene.path("go")) << "12";
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(imports(scene) == 3);
  CHECK(contains(read(scene.path("logs/r/events.jsonl")), "\"event\":\"preload_lost\""));
}

TEST_CASE("a preloader that does not answer is killed, and its rank runs once") {
  Scene scene;
  const auto flags = count_imports(scene);
  const auto program = script(scene,
                              "import os, sys, counted\n"
                              "open('" +
                                  scene.path("ran") +
                                  "', 'a').write('x\\n')\n"
                                  "if os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':\n"
                                  "    print('up', flush=True)\n"
                                  "    os.read(os.open('" +
                                  scene.path("go") +
                                  "', os.O_RDONLY), 1)\n"
                                  "    sys.exit(1)\n");
  Process fifo({.argv = {"mkfifo", scene.path("go")}, .env = {{"PATH", "/usr/bin:/bin"}}});
  REQUIRE(fifo.wait() == Status{.code = 0});
  auto launch =
      scene.launch(Words{"--nproc", "1", "--max-restarts", "1"} + kRestartAtOnce + flags, program);
  launch.until("up");
  const int preloader = preloader_of(launch);
  REQUIRE(preloader > 1);
  kill(preloader, SIGSTOP);
  std::ofstream(scene.path("go")) << "1";
  CHECK(contains(launch.until_err("preloader"), "did not fork within"));
  CHECK(finish(scene, launch).status == Status{.code = 0});
  CHECK(read(scene.path("ran")) == "x\nx\n");
}

TEST_CASE("whatever ends the launch ends the preloader") {
  for (const int signal : {SIGTERM, SIGINT, SIGKILL}) {
    for (const bool to_supervisor : {false, true}) {
      CAPTURE(signal);
      CAPTURE(to_supervisor);
      if (to_supervisor && signal != SIGKILL) continue;
      Scene scene;
      const auto program =
          script(scene, "import time\nprint('up', flush=True)\ntime.sleep(1000)\n");
      auto launch = scene.launch(Words{"--nproc", "2"} + kWays[1], program);
      launch.until("up");
      launch.until("up");
      REQUIRE(preloader_of(launch) > 1);
      kill(to_supervisor ? supervisor_pid(launch) : launch.pid(), signal);
      launch.wait_exit();
      launch.wait_nothing_left();
      scene.check_no_file_left();
    }
  }
}

TEST_CASE("a stop request during the imports ends the launch") {
  Scene scene;
  script(scene, "import time\nprint('importing', flush=True)\ntime.sleep(1000)\n", "slow.py");
  auto launch = scene.launch({"--preload", "slow"}, script(scene, "print('ran')\n"));
  launch.until_err("preload: importing");
  launch.send_signal(SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 128 + SIGTERM});
  CHECK(run.out == "");
}

TEST_CASE("what cannot be preloaded is refused in a line, and nothing is started") {
  Scene scene;
  script(scene,
         "import threading, time\n"
         "threading.Thread(target=time.sleep, args=[1000], daemon=True).start()\n",
         "threaded.py");
  script(scene, "1 / 0\n", "broken.py");
  script(scene, "import sys\nsys.exit(0)\n", "leaving.py");
  script(scene, "import os\nos.kill(os.getpid(), 9)\n", "dying.py");
  const auto program = script(scene, "print('ran')\n");
  const struct {
    std::string modules;
    int code;
    std::string text;
  } cases[] = {
      {"json,torhc", 2, "has no module named torhc"},
      {"threaded", 2, "threaded runs 1 more thread"},
      {"broken", 2, "cannot import broken: ZeroDivisionError: division by zero"},
      {"leaving", 2, "SystemExit"},
      {"dying", 71, "was killed by SIGKILL before it was ready"},
  };
  for (const auto& [modules, code, text] : cases) {
    CAPTURE(modules);
    const auto run = scene.run({"--preload", modules}, program);
    CHECK(run.status == Status{.code = code});
    CHECK(run.out == "");
    CHECK(lines_of(run.err).size() == 1);
    CHECK(contains(run.err, text));
  }
  const auto other = scene.run({"--preload", "json"}, {"true"});
  CHECK(other.status == Status{.code = 2});
  CHECK(contains(other.err, "--preload needs a Python program"));
}

TEST_CASE("auto imports what the script imports at its top level, and nothing next to it") {
  Scene scene;
  script(scene, "import os\nprint('near', os.getppid(), flush=True)\n", "near.py");
  const auto program = script(scene,
                              "import sys\nbefore = set(sys.modules)\n"
                              "from xml.dom import minidom\nimport near\n"
                              "try:\n    import no_such_module\nexcept ImportError:\n    pass\n"
                              "print('xml.dom' in before, 'near' in before)\n"
                              "def later():\n    import wave\n"
                              "print('wave' in before)\n");
  CHECK(by_rank(scene.run({"--preload", "auto"}, program).out)[0].back() == "False");
  CHECK(contains(scene.run({"--preload", "auto"}, program).out, "True False"));
  CHECK(contains(scene.run({}, program).out, "False False"));
}

TEST_CASE("64 ranks, faults and a hang, both ways") {
  for (const auto& way : kWays) {
    Scene scene;
    const auto many = scene.run(Words{"--nproc", "64"} + way,
                                script(scene, "import os\nprint(os.environ['RANK'])\n"));
    CHECK(many.status == Status{.code = 0});
    CHECK(by_rank(many.out).size() == 64);
    const auto sleeper = script(scene, "import time\nprint('up')\ntime.sleep(1000)\n");
    const auto killed =
        scene.run(Words{"--nproc", "2", "--inject", "kill@rank=1,after=0s"} + way, sleeper);
    CHECK(killed.status == Status{.code = 128 + SIGKILL});
    const auto hung = scene.run(Words{"--nproc", "2", "--output-timeout", "300ms"} + way, sleeper);
    CHECK(hung.status == Status{.code = 72});
    CHECK(contains(hung.err, "sleep"));
  }
}
