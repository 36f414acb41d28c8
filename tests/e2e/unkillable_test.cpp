// A process alive after SIGKILL is named with rank, state and wait channel; the launcher never
// waits longer than a bound. It is the only case of exit code 74.
#include "tests/e2e/launch.hpp"
#include "tests/e2e/stuck_filesystem.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ddp::test;

namespace {

// Shortens the final wait of 30 s and the wait for pipes that are still held.
void hurry(Scene& scene) { scene.env["DDP_LAUNCH_TEST_OFF"] = "patience,draining"; }

struct Stuck {
  Stuck() {
    hurry(scene);
    std::filesystem::create_directory(scene.path("stuck"));
    if (auto mounted = StuckFilesystem::mount_at(scene.path("stuck")))
      filesystem.emplace(std::move(*mounted));
    if (!filesystem) MESSAGE("FUSE cannot be mounted here: no process can be made unkillable");
  }
  // Rank 1, or a daemon of it, sleeps in the file system.
  Process launch(const Words& flags, bool daemon) {
    const Words touch{"touch", scene.path("stuck/file")};
    const Words stuck = daemon ? Words{"fork", "[", "setsid", "ready"} + touch + Words{"]"} : touch;
    Process process = scene.launch(Words{"--nproc", "3", "--shutdown-timeout", "200ms"} + flags,
                                   helper(Words{"print", "pid {PID}", "on-rank", "1", "["} + stuck +
                                          Words{"pause", "]", "pause"}));
    for (int i = 0; i < 3; ++i) {
      const std::string line = process.until("pid ");
      if (line.substr(0, 3) == "[1]") worker = std::stoi(line.substr(8));
    }
    REQUIRE(filesystem->swallow_request());
    return process;
  }
  void check_ends_when_released(Process& process) {
    filesystem->release();
    process.wait_nothing_left();
    scene.check_no_file_left();
    // It could not be removed while a process was in it.
    for (const auto& [inode, group] : launch_groups(process.pid())) {
      std::error_code ignored;
      for (const auto* below : {"/1", ""}) std::filesystem::remove(group + below, ignored);
    }
  }
  Scene scene;
  std::optional<StuckFilesystem> filesystem;
  int worker = 0;
};

}  // namespace

TEST_CASE("a rank in uninterruptible sleep is named and prevents a restart") {
  Stuck stuck;
  if (!stuck.filesystem) return;
  Process launch = stuck.launch(Words{"--max-restarts", "3"} + kRestartAtOnce, false);
  launch.send_signal(SIGTERM);
  CHECK(launch.wait_exit() == Status{.code = 74});
  const std::string expected = "rank 1 (pid " + std::to_string(stuck.worker) +
                               ") could not be killed: state D, waiting in request_wait_answer";
  CHECK_MESSAGE(contains(launch.err(), expected), launch.err());
  CHECK(launch.below().size() == 1);  // the others are gone
  stuck.check_ends_when_released(launch);
}

TEST_CASE("a victim and a worker's child in uninterruptible sleep are named") {
  Stuck stuck;
  if (!stuck.filesystem) return;
  Process launch = stuck.launch(Words{"--max-restarts", "3"} + kRestartAtOnce, true);
  kill(stuck.worker, SIGKILL);
  CHECK(launch.wait_exit() == Status{.code = 74});
  CHECK_MESSAGE(contains(launch.err(), "(ddp-test-helper) could not be killed: state D"),
                launch.err());
  CHECK(contains(launch.err(), "rank 1 was killed by SIGKILL"));
  CHECK_FALSE(contains(launch.err(), "restarting the group"));
  stuck.check_ends_when_released(launch);
}

TEST_CASE("the keeper names processes that outlive a killed supervisor") {
  Stuck stuck;
  if (!stuck.filesystem) return;
  Process launch = stuck.launch({}, false);
  kill(supervisor_pid(launch), SIGKILL);
  CHECK(launch.wait_exit() == Status{.code = 74});
  CHECK_MESSAGE(contains(launch.err(), "could not be killed: state D, waiting in request_wait"),
                launch.err());
  stuck.check_ends_when_released(launch);
}

TEST_CASE("control: a process that is not killed is named too") {
  Scene scene;
  scene.env["DDP_LAUNCH_TEST_OFF"] = "patience,sweep,cgroup";
  Process launch = scene.launch(
      {"--nproc", "1", "--linger-timeout", "0"},
      helper({"fork", "[", "setsid", "close", "1", "close", "2", "pause", "]", "exit", "0"}));
  CHECK(launch.wait_exit() == Status{.code = 74});
  CHECK(contains(launch.err(), "(ddp-test-helper) could not be killed: state S"));
  CHECK(launch.below().size() == 1);
}

TEST_CASE("a debugger that holds a dead rank only delays the end") {
  Scene scene;
  hurry(scene);
  Process launch = scene.launch({"--nproc", "2", "--shutdown-timeout", "200ms"},
                                helper({"print", "pid {PID}", "pause"}));
  const int traced = std::stoi(launch.until("[1] pid ").substr(8));
  if (ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) != 0) {
    MESSAGE("no process may be traced here");
    return;
  }
  launch.send_signal(SIGTERM);
  // Dead, and reaped by this test as its tracer; the launcher cannot.
  const Status status = launch.wait_exit();
  CHECK_MESSAGE(status == Status{.code = 74}, status << launch.err());
  CHECK(contains(launch.err(),
                 "rank 1 (pid " + std::to_string(traced) + ") could not be killed: state Z"));
  CHECK(waitpid(traced, nullptr, __WALL) == traced);
  launch.wait_nothing_left();
  scene.check_nothing_left(launch);
}
