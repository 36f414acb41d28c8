// Whatever happens to its output, the launcher supervises: it detects a death at once, the group
// is torn down, and the loss is reported once by name.
#include "tests/e2e/launch.hpp"
#include "tests/support/json_lines.hpp"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <sstream>

using namespace ddp::test;

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeenMs = 10;
#ifdef __SANITIZE_ADDRESS__
constexpr long kGrowthKib = 512 * 1024;  // ASan keeps up to 256 MiB of freed memory in quarantine
#else
constexpr long kGrowthKib = 8192;
#endif

// 10 ms on an idle machine.
double bound_ms() {
  double load = 0;
  getloadavg(&load, 1);
  const auto processors = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  return kSeenMs * timeout_scale() * std::max(1.0, load / processors);
}

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

// When the launcher recorded the exit of a rank.
std::int64_t seen_ns(const Scene& scene, int rank) {
  for (const auto& exited : events_named(scene.path("logs/x/events.jsonl"), "worker_exited")) {
    if (field(exited, "rank") == std::to_string(rank)) return std::stoll(field(exited, "t_ns"));
  }
  return 0;
}

const Words kRecorded{"--log-dir", "logs", "--run-id", "x"};

// The launcher waits 5 s for a blocked reader at the end of an attempt: shortened here.
void hurry(Scene& scene) { scene.env["DDP_LAUNCH_TEST_OFF"] = "draining"; }

int pid_in(const std::string& line) { return std::stoi(line.substr(line.find("pid ") + 4)); }

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// A process that writes to a full pipe sleeps, and nothing wakes it.
void wait_blocked(int pid) {
  const Deadline deadline;
  std::string before;
  for (int same = 0; same < 50 && !deadline.passed();) {
    const std::string switches = status_field(pid, "voluntary_ctxt_switches");
    const bool asleep = status_field(pid, "State") == "S (sleeping)";
    same = asleep && switches == before ? same + 1 : 0;
    before = switches;
    sched_yield();
  }
  CHECK_FALSE(deadline.passed());
}

// Milliseconds from a rank's death to its detection while the ranks do `output`;
// `loss` is its message; the best of three launches.
template <class Prepare>
void check_seen(const Words& output, const std::string& loss, const Prepare& prepare) {
  double best = 1e9;
  for (int attempt = 0; attempt < 3 && best > bound_ms(); ++attempt) {
    Scene scene;
    hurry(scene);
    auto start = scene.start(
        Words{"--nproc", "3", "--shutdown-timeout", "200ms"} + kRecorded,
        helper(Words{"fork", "[", "setsid", "ignore", "TERM", "pause", "]", "print", "pid {PID}"} +
               output));
    Process launch(std::move(start));
    std::map<std::string, int> pids;
    for (int i = 0; i < 3; ++i) {
      const std::string line = launch.until("pid ");
      pids[line.substr(0, 3)] = pid_in(line);
    }
    prepare(scene, launch, pids["[0]"]);
    const auto killed = now_ns();
    kill(pids["[1]"], SIGKILL);
    CHECK(launch.wait_exit() == Status{.code = 137});
    scene.check_nothing_left(launch);
    launch.resume_reading();
    launch.wait();
    CHECK(contains(launch.err(), loss));
    const auto seen = seen_ns(scene, 1);
    REQUIRE(seen > 0);
    best = std::min(best, static_cast<double>(seen - killed) / 1e6);
  }
  CHECK(best <= bound_ms());
}

}  // namespace

TEST_CASE("a reader that stops reading blocks the workers, not the launcher") {
  const auto stop_reading = [](const Scene&, Process& launch, int writer) {
    launch.stop_reading();
    wait_blocked(writer);
  };
  SUBCASE("stdout") { check_seen({"flood"}, "stdout: not read any more", stop_reading); }
  SUBCASE("stderr") { check_seen({"eflood"}, "", stop_reading); }
}

TEST_CASE("a closed reader loses its output; the launch goes on") {
  check_seen({"flood"}, "stdout: reader closed",
             [](const Scene&, Process& launch, int) { launch.close_out(); });
}

TEST_CASE("a launcher without stdout and stderr still supervises") {
  const Scene scene;
  auto start = scene.start(
      Words{"--nproc", "2"} + kRecorded,
      helper({"print", "out", "eprint", "err", "on-rank", "1", "[", "exit", "6", "]", "pause"}));
  start.closed_fds = {0, 1, 2};
  Process launch(std::move(start));
  CHECK(finish(scene, launch).status == Status{.code = 6});
}

TEST_CASE("a closed stderr loses the launcher's messages; the launch goes on") {
  const Scene scene;
  std::filesystem::create_directories(scene.path("logs/x"));  // so that there is a message
  // If both are lost, the loss of one is itself a message.
  for (const char* streams : {"2>/dev/full", ">/dev/full 2>/dev/full", ">/dev/full 2>&1"}) {
    CAPTURE(streams);
    std::filesystem::remove(scene.path("up"));
    Process launch(
        redirected(scene.start(Words{"--nproc", "2", "--log-level", "info"} + kRecorded,
                               helper({"print", "shown", "touch", scene.path("up"), "pause"})),
                   streams));
    const Deadline deadline;
    while (!std::filesystem::exists(scene.path("up")) && !deadline.passed()) sched_yield();
    launch.send_signal(SIGTERM);
    CHECK(finish(scene, launch).status == Status{.code = 143});
  }
}

TEST_CASE("--help that cannot be written fails with a message") {
  const Scene scene;
  for (const char* flag : {"--help", "--version", "--dry-run"}) {
    Process launch(redirected(scene.start({flag}, helper({"exit", "0"})), ">/dev/full"));
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 71});
    CHECK(run.err == "ddp-launch: cannot write to stdout: No space left on device\n");
  }
}

TEST_CASE("the launcher's parent dies while its stderr is not read") {
  Scene scene;
  hurry(scene);
  const Words command = helper({"print", "pid {PID}", "eflood"});
  Process parent({.argv = helper(Words{"fork", "[", "exec", launcher_path(), "[", "--nproc", "2",
                                       "--shutdown-timeout", "200ms", "--"} +
                                 command + Words{"]", "]", "pause"}),
                  .env = scene.env});
  const int writer = pid_in(parent.until("pid "));
  parent.until("pid ");
  parent.stop_reading();
  wait_blocked(writer);
  parent.send_signal(SIGKILL);
  parent.wait_exit();
  CHECK(wait_gone(writer, Deadline()));
  parent.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE("the supervisor is killed while stderr is not read") {
  const Scene scene;
  Process launch = scene.launch({"--nproc", "2"}, helper({"print", "pid {PID}", "eflood"}));
  const int writer = pid_in(launch.until("pid "));
  launch.until("pid ");
  launch.stop_reading();
  wait_blocked(writer);
  kill(supervisor_pid(launch), SIGKILL);
  CHECK(launch.wait_exit() == Status{.code = 70});
  scene.check_nothing_left(launch);
}

TEST_CASE("a log directory that cannot be made is refused before anything starts") {
  const Scene scene;
  write_file(scene.path("logs"), "");
  for (const std::string parent : {"logs", "logs/below", "/proc/none"}) {
    CAPTURE(parent);
    const auto run = scene.run({"--nproc", "3", "--tee", "3", "--run-id", "x", "--log-dir", parent},
                               helper({"append", scene.path("journal"), "started"}));
    CHECK(run.status == Status{.code = 71});
    CHECK(run.out == "");
    CHECK(lines_of(run.err).size() == 1);
    CHECK(contains(run.err, "ddp-launch: cannot make the log directory: " + parent));
    CHECK_FALSE(std::filesystem::exists(scene.path("journal")));
  }
  CHECK(std::filesystem::is_regular_file(scene.path("logs")));
}

TEST_CASE("a removed log directory is reported; the launch goes on") {
  const Scene scene;
  Process launch = scene.launch(
      Words{"--nproc", "2", "--tee", "3", "--max-restarts", "1"} + kRestartAtOnce + kRecorded,
      helper({"print", "up", "on-rank", "0", "[", "pause", "]", "wait-file", scene.path("go"),
              "print", "after", "exit", "5"}));
  for (int i = 0; i < 2; ++i) launch.until("up");
  std::filesystem::remove_all(scene.path("logs"));
  write_file(scene.path("logs"), "");
  write_file(scene.path("go"), "");
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 5});
  CHECK(count(run.out, "after") == 2);
  CHECK_MESSAGE(count(run.err, "warning: ") == 2, run.err);
  CHECK(contains(run.err, "logs/x/attempt_"));
  CHECK(contains(run.err, "logs/x/events.jsonl: it was removed"));
}

TEST_CASE("a removed events.jsonl is reported once per attempt") {
  const Scene scene;
  for (const char* code : {"0", "5"}) {
    const auto run = scene.run(Words{"--nproc", "2"} + kRecorded,
                               {"sh", "-c", "rm -rf logs; exit " + std::string(code)});
    CHECK(run.status == Status{.code = std::stoi(code)});
    CHECK_MESSAGE(count(run.err, "logs/x/events.jsonl: it was removed; events are no longer") == 1,
                  run.err);
  }
}

TEST_CASE("a FIFO in place of a log file does not block the launch") {
  for (const char* flag : {"--tee", "--redirects"}) {
    CAPTURE(flag);
    const Scene scene;
    // The first attempt creates it at the path of the second attempt's file.
    const auto run = scene.run(
        Words{"--nproc", "1", flag, "1", "--max-restarts", "1"} + kRestartAtOnce + kRecorded,
        {"sh", "-c",
         "if [ $TORCHELASTIC_RESTART_COUNT = 0 ]; then mkdir -p logs/x/attempt_1/0; "
         "mkfifo logs/x/attempt_1/0/stdout.log; fi; echo shown; exit 5"});
    CHECK(run.status == Status{.code = 5});
    CHECK(count(run.err, "attempt_1/0/stdout.log") == 1);
    CHECK(contains(run.err, "  | shown\n"));
  }
}

TEST_CASE("a full disk under --log-dir loses only the log files") {
  const Words flags = Words{"--nproc", "2", "--tee", "3"} + kRecorded;
  const auto steps = [](const Scene& scene) {
    return helper({"write-lines", "5000", "barrier", scene.directory.string(), "on-rank", "1", "[",
                   "exit", "5", "]"});
  };
  const auto check = [](const Finished& run) {
    CHECK(run.status == Status{.code = 5});
    CHECK(by_rank(run.out)[0].size() == 5000);
    CHECK(by_rank(run.out)[1].size() == 5000);
    CHECK(count(run.err, "no longer written") == 1);
  };
  SUBCASE("a limit on the size of files") {
    const Scene scene;
    auto start = scene.start(flags, steps(scene));
    start.argv = Words{"prlimit", "--fsize=32768"} + start.argv;
    Process launch(std::move(start));
    check(finish(scene, launch));
  }
  SUBCASE("a file system of 64 KiB") {
    const Scene scene;
    std::filesystem::create_directory(scene.path("logs"));
    if (mount("tmpfs", scene.path("logs").c_str(), "tmpfs", 0, "size=64k") != 0) {
      MESSAGE("no file system can be mounted here: only the limit was tried");
      return;
    }
    const auto run = scene.run(flags, steps(scene));
    umount2(scene.path("logs").c_str(), MNT_DETACH);
    check(run);
    CHECK(contains(run.err, "No space left on device"));
  }
}

TEST_CASE("a file size limit affects workers as it does without a launcher") {
  const Scene scene;
  auto start = scene.start(Words{"--nproc", "1", "--redirects", "3"} + kRecorded,
                           helper({"no-core", "write-lines", "5000"}));
  start.argv = Words{"prlimit", "--fsize=32768"} + start.argv;
  Process launch(std::move(start));
  CHECK(finish(scene, launch).status == Status{.code = 128 + SIGXFSZ});
}

TEST_CASE("four ranks that write at full speed do not grow the launcher") {
  const Scene scene;
  Process launch(
      redirected(scene.start({"--nproc", "4"}, helper({"eprint", "up", "flood"})), ">/dev/null"));
  for (int i = 0; i < 4; ++i) launch.until_err("up");
  const int supervisor = supervisor_pid(launch);
  const auto io = [&] {
    std::istringstream text(read_file("/proc/" + std::to_string(supervisor) + "/io"));
    std::string name;
    std::int64_t read = 0;
    text >> name >> read;  // rchar
    return read;
  };
  // One second's amount, or what a slow machine reads in a minute.
  const Deadline deadline;
  while (io() < std::int64_t{256} * 1024 * 1024 && !deadline.passed()) sched_yield();
  CHECK(std::stol(status_field(supervisor, "RssAnon")) < kGrowthKib);
  launch.send_signal(SIGTERM);
  CHECK(finish(scene, launch).status == Status{.code = 143});
}

TEST_CASE("a flood of notifications of every kind neither stalls nor grows the launcher") {
  double best = 1e9;
  for (int attempt = 0; attempt < 3 && best > bound_ms(); ++attempt) {
    const Scene scene;
    Process launch =
        scene.launch(Words{"--nproc", "2"} + kRecorded,
                     helper({"on-rank", "0", "[", "fork", "[", "flood-notify", "3000", "]",
                             "flood-notify", "3000", "]", "print", "pid {PID}", "pause"}));
    const int victim = pid_in(launch.until("pid "));
    const std::string supervisor = std::to_string(supervisor_pid(launch));
    const auto descriptors = [&] {
      return std::distance(std::filesystem::directory_iterator("/proc/" + supervisor + "/fd"), {});
    };
    for (int i = 0; i < 2; ++i) launch.until("sent ");
    const auto before = descriptors();
    for (int i = 0; i < 8; ++i) launch.until("sent ");
    CHECK(descriptors() <= before + 20);  // those of one message may be open at the moment
    CHECK(std::stol(status_field(std::stoi(supervisor), "RssAnon")) < kGrowthKib);
    const auto killed = now_ns();
    kill(victim, SIGKILL);
    CHECK(finish(scene, launch).status == Status{.code = 137});
    best = std::min(best, static_cast<double>(seen_ns(scene, 1) - killed) / 1e6);
  }
  CHECK(best <= bound_ms());
}
