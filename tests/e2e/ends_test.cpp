// A rank is more than its first process: however a group ends, all its processes have the time to
// save their work, and are named if they are killed.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <signal.h>

#include <filesystem>

using namespace ddp::test;

namespace {

// Saves ck-<rank> on the stop signal, which takes a while and needs its children alive.
constexpr const char* kTrainer = R"(
import os, signal, sys, time
loaders = []
def save(number, frame):
    time.sleep(0.3)
    for loader in loaders:
        if os.waitpid(loader, os.WNOHANG) != (0, 0):
            sys.exit(f"loader {loader} is dead")
    with open(f"ck-{os.environ['RANK']}", "w") as file:
        file.write(signal.Signals(number).name)
    os.write(1, b"saved\n")  # print is not reentrant
    for loader in loaders:
        os.kill(loader, signal.SIGKILL)
    sys.exit(0)
for _ in range(int(os.environ.get("LOADERS", "0"))):
    pid = os.fork()
    if pid == 0:
        signal.pause()
    loaders.append(pid)
signal.signal(signal.SIGTERM, save)
signal.signal(signal.SIGINT, save)
print("up", flush=True)
while True:  # a signal just before pause() would be missed
    time.sleep(0.02)
)";

// The same with Python's signal and multiprocessing modules, as scripts do it.
constexpr const char* kInterrupted = R"(
import os, time
try:
    print("up", flush=True)
    while True:
        time.sleep(0.02)
except KeyboardInterrupt:
    open(f"ck-{os.environ['RANK']}", "w").close()
)";

constexpr const char* kWrapper = R"(
import signal, subprocess, sys
for name in sys.argv[1].split(","):
    if name: signal.signal(getattr(signal, name), signal.SIG_IGN)
sys.exit(subprocess.Popen([sys.executable, "t.py"]).wait())
)";

// Like torch.multiprocessing.spawn with join=True, or Process.join().
constexpr const char* kSpawns = R"(
import multiprocessing, multiprocessing.connection, runpy, signal, sys
def rank():
    runpy.run_path("t.py")
if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=rank)
    child.start()
    if sys.argv[1] == "exits":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if sys.argv[1] == "join":
        child.join()
    else:
        multiprocessing.connection.wait([child.sentinel])
)";

// Holds the trainer's input open, as Popen(stdin=PIPE) does.
constexpr const char* kFeeds = R"(
import subprocess, sys
sys.exit(subprocess.Popen([sys.executable, "t.py"], stdin=subprocess.PIPE).wait())
)";

struct Trainers : Scene {
  Trainers() {
    write_file(path("t.py"), kTrainer);
    write_file(path("interrupted.py"), kInterrupted);
    write_file(path("wrapper.py"), kWrapper);
    write_file(path("spawns.py"), kSpawns);
    write_file(path("feeds.py"), kFeeds);
    write_file(path("here.sh"), "python3 t.py <<END\nyes\nEND\n:\n");
    write_file(path("run.sh"), "python3 t.py\n:\n");
    write_file(path("exec.sh"), "exec python3 t.py\n");
    write_file(path("trap.sh"), "trap 'echo clean up' TERM INT\npython3 t.py\n:\n");
  }
  int saved() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      count += entry.path().filename().string().starts_with("ck-");
    return count;
  }
};

void until_each(Process& launch, const std::string& text, int count) {
  for (int i = 0; i < count; ++i) launch.until(text);
}

struct Wrapped {
  std::string name;
  Words command;
  const char* loaders = "0";
};

const std::vector<Wrapped>& wrapped_trainers() {
  static const std::vector<Wrapped> all{
      {"a trainer", {"python3", "t.py"}},
      {"a trainer with loaders", {"python3", "t.py"}, "2"},
      {"sh -c", {"sh", "-c", "python3 t.py; :"}},
      {"sh -c, with loaders", {"sh", "-c", "python3 t.py; :"}, "2"},
      {"bash run.sh", {"bash", "run.sh"}, "1"},
      {"bash run.sh with exec", {"bash", "exec.sh"}, "1"},
      {"bash run.sh with a trap", {"bash", "trap.sh"}, "1"},
      {"a shell in a shell", {"sh", "-c", "bash run.sh; :"}, "1"},
      {"a pipeline", {"sh", "-c", "python3 t.py | tee log-$RANK"}, "1"},
      {"a wrapper that dies of it, as conda run", {"python3", "wrapper.py", ""}, "1"},
      {"Process.join", {"python3", "spawns.py", "join"}, "1"},
      {"mp.spawn, which waits for sentinels", {"python3", "spawns.py", "wait"}, "1"},
      {"mp.spawn in a program that exits on SIGTERM", {"python3", "spawns.py", "exits"}, "1"},
      {"a here-document", {"bash", "here.sh"}, "1"},
      {"a pipe after the trainer", {"sh", "-c", "echo y | python3 t.py; :"}, "1"},
      {"Popen(stdin=PIPE)", {"python3", "feeds.py"}, "1"},
  };
  return all;
}

// Names of pipelines, by what they print.
void check_saved(const Trainers& scene, const Finished& run, int ranks) {
  CHECK_MESSAGE(scene.saved() == ranks, run.out << run.err);
  CHECK_FALSE(contains(run.out + run.err, "is dead"));
}

}  // namespace

TEST_CASE("a stop request reaches the trainer inside any wrapper, then its loaders") {
  for (const auto& one : wrapped_trainers()) {
    for (const int signal : {SIGTERM, SIGINT}) {
      CAPTURE(one.name);
      CAPTURE(signal);
      Trainers scene;
      scene.env["LOADERS"] = one.loaders;
      Process launch = scene.launch({"--nproc", "2"}, one.command);
      until_each(launch, "up", 2);
      launch.send_signal(signal);
      const auto run = finish(scene, launch);
      CHECK(run.status == Status{.code = 128 + signal});
      check_saved(scene, run, 2);
      CHECK_FALSE(contains(run.err, "needed SIGKILL"));
    }
  }
}

TEST_CASE("the failure of another rank reaches trainer and loaders in the same order") {
  for (const auto& one : wrapped_trainers()) {
    CAPTURE(one.name);
    Trainers scene;
    scene.env["LOADERS"] = one.loaders;
    Words command{"sh", "-c",
                  "if [ $RANK = 1 ]; then while [ ! -e go ]; do :; done; exit 3; fi; exec \"$@\"",
                  "sh"};
    Process launch = scene.launch({"--nproc", "2"}, command + one.command);
    launch.until("up");
    write_file(scene.path("go"), "");
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 3});
    check_saved(scene, run, 1);
  }
}

TEST_CASE("control: a signal to the whole process group kills the loaders first") {
  Trainers scene;
  scene.env["LOADERS"] = "1";
  Process launch = scene.launch({"--nproc", "2", "--stop-signal-to", "group"}, {"python3", "t.py"});
  until_each(launch, "up", 2);
  launch.send_signal(SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(scene.saved() == 0);
  CHECK(contains(run.err, "exited with code 1"));
  CHECK(contains(run.err, "is dead"));  // the tail of the one that raised
}

TEST_CASE("a wrapper that ignores the stop signal only delays it for its trainer") {
  Trainers scene;
  Process launch = scene.launch({"--nproc", "2", "--shutdown-timeout", "6"},
                                {"python3", "wrapper.py", "SIGTERM,SIGINT"});
  until_each(launch, "up", 2);
  launch.send_signal(SIGTERM);
  const auto run = finish(scene, launch);
  check_saved(scene, run, 2);
  CHECK(run.status == Status{.code = 143});
  CHECK(contains(run.err, "ranks 0, 1 exited with code 0\n"));
}

TEST_CASE("--stop-signal replaces SIGTERM") {
  Trainers scene;
  write_file(scene.path("u.py"),
             "import signal, sys, time\n"
             "signal.signal(signal.SIGUSR1, lambda *_: (open('ck-0', 'w'), sys.exit(0)))\n"
             "print('up', flush=True)\nwhile True: time.sleep(0.02)\n");
  Process launch =
      scene.launch({"--nproc", "1", "--stop-signal", "USR1"}, {"sh", "-c", "python3 u.py; :"});
  launch.until("up");
  launch.send_signal(SIGTERM);
  // It kills the shell, as SIGTERM would.
  CHECK(finish(scene, launch).status == Status{.code = 143});
  CHECK(scene.saved() == 1);
}

TEST_CASE("Ctrl-C raises KeyboardInterrupt in the script and its handlers run") {
  Trainers scene;
  auto start = scene.start({"--nproc", "2"}, {"python3", "interrupted.py"});
  start.stdio = Stdio::terminal;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  launch.send("\x03");
  CHECK(finish(scene, launch).status == Status{.code = 130});
  CHECK(scene.saved() == 2);
}

TEST_CASE("an uncaught KeyboardInterrupt is not a failure of the rank") {
  const Scene scene;
  Process launch = scene.launch(
      {"--nproc", "2"},
      // A long sleep may begin after Python has noted the signal, and sleep on.
      {"python3", "-c", "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.05)"});
  until_each(launch, "up", 2);
  launch.send_signal(SIGINT);
  const auto run = finish(scene, launch);
  CHECK(contains(run.err, "ddp-launch: ranks 0, 1 ended by SIGINT\n"));
  CHECK_FALSE(contains(run.err, "  | "));
}

TEST_CASE("timeout(1) signals launcher and group: one stop request") {
  Trainers scene;
  auto start = scene.start({"--nproc", "2"}, {"python3", "t.py"});
  start.new_group = true;
  Process launch(std::move(start));
  until_each(launch, "up", 2);
  // As timeout(1) does at its limit.
  launch.send_signal(SIGTERM);
  kill(-launch.pid(), SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  check_saved(scene, run, 2);
}

TEST_CASE("--graceful-exit-code is used if every rank exited 0 after a stop") {
  for (const bool all : {true, false}) {
    CAPTURE(all);
    const Scene scene;
    Process launch =
        scene.launch({"--nproc", "2", "--graceful-exit-code", "0"},
                     helper({"on-signal", "TERM", "[", "on-rank", "1", "[", "exit", all ? "0" : "7",
                             "]", "exit", "0", "]", "print", "up", "pause"}));
    until_each(launch, "up", 2);
    launch.send_signal(SIGTERM);
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = all ? 0 : 143});
    CHECK(contains(run.err, all ? "ranks 0, 1 exited with code 0"
                                : "rank 0 exited with code 0; rank 1 exited with code 7"));
  }
}

TEST_CASE("a forwarded signal reaches the program behind a shell, not the shell") {
  const Scene scene;
  write_file(
      scene.path("u.py"),
      "import os, signal, sys, time\n"
      "signal.signal(signal.SIGUSR1, lambda *_: (os.write(1, b'received\\n'), sys.exit(0)))\n"
      "print('up', flush=True)\nwhile True: time.sleep(0.02)\n");
  for (const std::string scope : {"rank", "group"}) {
    CAPTURE(scope);
    Process launch =
        scene.launch({"--nproc", "2", "--stop-signal-to", scope}, {"sh", "-c", "python3 u.py; :"});
    until_each(launch, "up", 2);
    launch.send_signal(SIGUSR1);
    const auto run = finish(scene, launch);
    // Control: with scope "group" the shell gets it too and is killed by it.
    CHECK(run.status == Status{.code = scope == "rank" ? 0 : 128 + SIGUSR1});
    if (scope == "rank") CHECK(by_rank(run.out)[1] == Words{"up", "received"});
  }
}

TEST_CASE("a process that reads a rank's output reads all of it") {
  const Scene scene;
  // The reader starts slowly; the rank is killed as soon as it has written.
  const std::string writes = "seq 20000; ";
  for (const std::string end : {"exit 0", "exit 3", "kill -9 $$"}) {
    CAPTURE(end);
    const auto run =
        scene.run({"--nproc", "2"},
                  {"bash", "-c",
                   "exec > >(while [ ! -e out-$RANK.go ]; do :; done; cat > out-$RANK); touch "
                   "out-$RANK.go; " +
                       writes + end});
    // The rank that exits first has written everything; the other one perhaps not.
    int whole = 0;
    for (const char* rank : {"0", "1"})
      whole += lines_of(read_file(scene.path(std::string("out-") + rank))).size() == 20000;
    CHECK(whole >= (end == "exit 0" ? 2 : 1));
    if (end == "exit 0") CHECK(run.status == Status{.code = 0});
  }
}

TEST_CASE("a reader of a killed rank's pipe reads all of it and is then stopped") {
  const Scene scene;
  // The trainer ignores every stop signal and writes its last line at the first.
  write_file(scene.path("deaf.py"),
             "import os, signal, time\n"
             "signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'the last line\\n'))\n"
             "print('up', flush=True)\nwhile True: time.sleep(0.02)\n");
  std::string script = "python3 deaf.py | tee log";
  SUBCASE("whose shell dies of SIGTERM") {}
  SUBCASE("whose shell lives until SIGKILL") { script = "trap '' TERM; " + script; }
  Process launch =
      scene.launch({"--nproc", "1", "--shutdown-timeout", "3"}, {"bash", "-c", script});
  launch.until("up");
  launch.send_signal(SIGTERM);
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK(read_file(scene.path("log")) == "up\nthe last line\n");
  std::string killed;
  for (const auto& line : lines_of(run.err)) {
    if (contains(line, "killed leftover processes: pid ")) killed = line;
  }
  CHECK(contains(killed, "deaf.py) of rank 0"));
  CHECK_FALSE(contains(killed, "(tee log)"));
}

TEST_CASE("leftover processes get the stop signal before the group ends") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  const Words loader{"fork",  "[",      "setsid", "on-signal", "TERM", "[",     "append",
                     journal, "loader", "exit",   "0",         "]",    "pause", "]"};
  for (const int nproc : {1, 4, 64}) {
    CAPTURE(nproc);
    std::filesystem::remove(journal);
    const auto run = scene.run({"--nproc", std::to_string(nproc), "--shutdown-timeout", "10000"},
                               helper(loader + Words{"barrier", scene.path("."), "on-rank", "0",
                                                     "[", "exit", "3", "]", "pause"}));
    CHECK(run.status == Status{.code = 3});
    CHECK(lines_of(read_file(journal)).size() == static_cast<std::size_t>(nproc));
    CHECK_FALSE(contains(run.err, "killed what was left"));
  }
}

TEST_CASE("a restart waits for leftovers of the last attempt that still save") {
  const Scene scene;
  const std::string journal = scene.path("journal");
  // Three levels down, in another session, and slow: it continues after its rank exited.
  const Words saver{"fork", "[", "setsid", "fork",  "[", "on-signal",     "TERM",  "[",
                    "tick", "3", "100",    "[",     "]", "append",        journal, "saved",
                    "exit", "0", "]",      "pause", "]", "wait-children", "]"};
  const auto run =
      scene.run({"--nproc", "2", "--max-restarts", "1"},
                helper(Words{"append", journal, "began", "on-generation", "0", "["} + saver +
                       Words{"barrier", scene.path("."), "on-rank", "1", "[", "exit", "3", "]",
                             "pause", "]"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(lines_of(read_file(journal)) ==
        Words{"began", "began", "saved", "saved", "began", "began"});
  CHECK_FALSE(contains(run.err, "killed what was left"));
}

TEST_CASE("after success leftovers have the linger period to exit") {
  const Scene scene;
  // Exits once the rank has exited: its parent is another process then.
  write_file(scene.path("late.py"),
             "import os, signal, time\n"
             "parent = os.getpid()\n"
             "if os.fork() == 0:\n"
             "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
             "    while os.getppid() == parent:\n"
             "        time.sleep(0.01)\n"
             "    open('late-' + os.environ['RANK'], 'w').write('done\\n')\n"
             "os._exit(0)\n");
  const auto run = scene.run({"--nproc", "4"}, {"python3", "late.py"});
  CHECK(run.status == Status{.code = 0});
  CHECK(run.err == "");
  for (const char* rank : {"0", "1", "2", "3"}) {
    CHECK(lines_of(read_file(scene.path(std::string("late-") + rank))) == Words{"done"});
  }
}

TEST_CASE("killed leftovers are named with their rank, on success and on failure") {
  const Scene scene;
  // A daemon: forked twice, in a new session, and it ignores SIGTERM.
  const Words daemon{"fork",   "[",      "setsid", "fork",  "[",
                     "setsid", "ignore", "TERM",   "touch", scene.path("daemon-{RANK}-{PID}"),
                     "pause",  "]",      "exit",   "0",     "]"};
  for (const std::string code : {"0", "3"}) {
    for (const int nproc : {1, 4}) {
      CAPTURE(code);
      CAPTURE(nproc);
      const auto run = scene.run(
          {"--nproc", std::to_string(nproc), "--shutdown-timeout", "300ms", "--linger-timeout",
           "300ms", "--log-dir", "logs", "--run-id", "r" + code + std::to_string(nproc)},
          helper(daemon + Words{"exit", code}));
      CHECK(run.status == Status{.code = std::stoi(code)});
      CHECK(contains(run.err, "ddp-launch: killed leftover processes: pid "));
      std::map<std::string, JsonLine> killed;  // by pid
      for (const auto& one :
           events_named(scene.path("logs/r" + code + std::to_string(nproc) + "/events.jsonl"),
                        "leftover_killed"))
        killed[field(one, "pid")] = one;
      CHECK_FALSE(killed.empty());
      for (const auto& entry : std::filesystem::directory_iterator(scene.directory)) {
        const auto name = entry.path().filename().string();
        if (!name.starts_with("daemon-")) continue;
        const auto rank = name.substr(7, name.find('-', 7) - 7);
        const auto pid = name.substr(name.find('-', 7) + 1);
        CHECK(contains(run.err, "pid " + pid + " ("));
        CHECK(field(killed[pid], "rank") == rank);
        CHECK(field(killed[pid], "proof") == "environment");
        std::filesystem::remove(entry.path());
      }
    }
  }
}

TEST_CASE("a rank that exited 0 before another fails is named") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "3"},
                helper({"on-rank", "1", "[", "exit", "0", "]", "on-rank", "0", "[", "listen-master",
                        "tick", "1", "50", "[", "]", "exit", "1", "]", "pause"}));
  CHECK(run.status == Status{.code = 1});
  CHECK(contains(run.err, "ddp-launch: rank 1 exited with code 0, "));
}

TEST_CASE("a rank that exited 0 before a hang is named") {
  const Scene scene;
  const auto run = scene.run({"--nproc", "2", "--progress-timeout", "300ms", "--on-hang", "none"},
                             helper({"on-rank", "1", "[", "exit", "0", "]", "step", "1", "pause"}));
  CHECK(run.status == Status{.code = 72});
  CHECK(contains(run.err, "ddp-launch: rank 1 exited with code 0, "));
}

TEST_CASE("an early exit fails the group if the others run longer than allowed") {
  const Scene scene;
  const auto run =
      scene.run({"--nproc", "2", "--early-exit", "fail after 200ms"},
                helper({"on-rank", "1", "[", "exit", "0", "]", "print", "up", "pause"}));
  CHECK(run.status == Status{.code = 1});
  CHECK(contains(
      run.err,
      "ddp-launch: rank 1 exited with code 0 while other ranks were running, and they did not exit "
      "within 200 ms"));
  // Within the allowed time it is not a failure.
  CHECK(scene
            .run({"--nproc", "2", "--early-exit", "fail after 10000"},
                 helper({"on-rank", "1", "[", "exit", "0", "]", "exit", "0"}))
            .status == Status{.code = 0});
}

TEST_CASE("exit codes and times exclude a restart") {
  const Scene scene;
  const auto attempts = [&](const Words& flags, const Words& steps) {
    const std::string journal = scene.path("journal");
    std::filesystem::remove(journal);
    const auto run =
        scene.run(Words{"--nproc", "1", "--max-restarts", "2"} + kRestartAtOnce + flags,
                  helper(Words{"append", journal, "x"} + steps));
    return std::pair{lines_of(read_file(journal)).size(), run.err};
  };
  CHECK(attempts({}, {"exit", "78"}).first == 3);  // the control
  const auto excluded = attempts({"--no-restart-on", "78,100-110,SIGILL"}, {"exit", "78"});
  CHECK(excluded.first == 1);
  CHECK(contains(excluded.second,
                 "not restarted: --restart-on or --no-restart-on excludes exit code 78\n"));
  CHECK(attempts({"--no-restart-on", "SIGILL"}, {"no-core", "signal", "ILL"}).first == 1);
  CHECK(attempts({"--restart-on", "77"}, {"exit", "78"}).first == 1);
  CHECK(attempts({"--restart-on", "78"}, {"exit", "78"}).first == 3);
  const auto early = attempts({"--restart-after", "ready"}, {"exit", "1"});
  CHECK(early.first == 1);
  CHECK(contains(early.second,
                 "not restarted: the attempt failed before --restart-after allows a restart\n"));
  CHECK(attempts({"--restart-after", "ready"}, {"notify", "READY=1", "sync", "exit", "1"}).first ==
        3);
  CHECK(attempts({"--restart-after", "10m"}, {"exit", "1"}).first == 1);
}

TEST_CASE("Python's resource tracker outlives the rank and cleans up its shared memory") {
  const Scene scene;
  const std::string name = "ddp_test_" + std::to_string(getpid());
  const std::string script =
      "import os\nfrom multiprocessing.shared_memory import SharedMemory as S\nS(name='" + name +
      "_' + os.environ['RANK'], create=True, size=1 << 20).close()\n";
  const auto left = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      if (!entry.path().filename().string().starts_with(name)) continue;
      ++count;
      std::filesystem::remove(entry.path());
    }
    return count;
  };
  for (const char* nproc : {"1", "4", "16"}) {
    CAPTURE(nproc);
    CHECK(scene.run({"--nproc", nproc}, {"python3", "-c", script}).status == Status{.code = 0});
    CHECK(left() == 0);
  }
  // Control: killed at once, the tracker does not clean up.
  int leaked = 0;
  for (int i = 0; i < 5 && leaked == 0; ++i) {
    scene.run({"--nproc", "4", "--linger-timeout", "0"}, {"python3", "-c", script});
    leaked = left();
  }
  CHECK(leaked > 0);
}
