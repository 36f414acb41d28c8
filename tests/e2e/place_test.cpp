// Where the launcher runs: as an ordinary user, as PID 1 of a container, as a job of an interactive
// shell.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

using namespace ddp::test;

namespace {

Words with_loader(const Words& steps) {
  return helper(Words{"fork", "[", "setsid", "ignore", "TERM", "pause", "]"} + steps);
}

// The time for the loaders to exit, which they do not.
const Words kSoon{"--shutdown-timeout", "200ms", "--linger-timeout", "200ms"};

Start in_container(const Scene& scene, const Words& flags, const Words& command) {
  Start start = scene.start(flags + kSoon, command);
  start.argv = Words{"unshare", "--pid", "--fork", "--mount-proc"} + start.argv;
  return start;
}

// The one child.
int child_of(int pid) {
  for (const auto& process : descendants(pid)) {
    if (process.parent == pid) return process.pid;
  }
  throw std::runtime_error("no child of " + std::to_string(pid));
}

bool can_make_containers() {
  if (geteuid() == 0) {
    Process tried({.argv = {"unshare", "--pid", "--fork", "--mount-proc", "true"},
                   .env = {{"PATH", "/usr/bin:/bin:/usr/sbin"}}});
    if (tried.wait() == Status{.code = 0}) return true;
  }
  MESSAGE("no PID namespace can be made here");
  return false;
}

bool is_zombie_or_there(int pid) { return status_field(pid, "State") != ""; }

}  // namespace

TEST_CASE("nothing starts if /proc is missing or shows another PID namespace") {
  if (kSanitized) {
    MESSAGE("a sanitizer needs /proc itself");
    return;
  }
  if (!can_make_containers()) return;
  const std::vector<Words> places{
      {"unshare", "--pid", "--fork"},
      {"unshare", "--mount", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"}};
  for (const auto& place : places) {
    const Scene scene;
    Start start = scene.start({"--nproc", "2"}, helper({"touch", scene.path("started")}));
    start.argv = place + start.argv;
    Process launch(std::move(start));
    const auto run = finish(scene, launch);
    CHECK(run.status == Status{.code = 71});
    CHECK(run.err.starts_with("ddp-launch: /proc is not mounted or shows another PID namespace"));
    CHECK_FALSE(std::filesystem::exists(scene.path("started")));
  }
}

TEST_CASE("the launch of an ordinary user leaves no process") {
  if (!can_be_other_user()) return;
  for (const bool kill_supervisor : {false, true}) {
    const Scene scene;
    scene.give_to(kOtherUser);
    Process launch(as_other_user(
        scene.start(Words{"--nproc", "3"} + kSoon, with_loader({"print", "up", "pause"}))));
    for (int i = 0; i < 3; ++i) launch.until("up");
    if (kill_supervisor) {
      kill(supervisor_pid(launch), SIGKILL);
    } else {
      launch.send_signal(SIGTERM);
    }
    CHECK(finish(scene, launch).status == Status{.code = kill_supervisor ? 70 : 143});
    CHECK(descendants(getpid()).empty());
  }
}

TEST_CASE("as PID 1 the launcher handles signals that the kernel lets an init ignore") {
  if (!can_make_containers()) return;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    CAPTURE(signal);
    const Scene scene;
    Process container(
        in_container(scene, {"--nproc", "2"}, with_loader({"print", "up {PPID}", "pause"})));
    for (int i = 0; i < 2; ++i) container.until("up 2");  // keeper 1, supervisor 2
    kill(child_of(container.pid()), signal);
    CHECK(finish(scene, container).status == Status{.code = 128 + signal});
  }
}

TEST_CASE("as PID 1 it survives Ctrl-Z, which the kernel denies an init") {
  if (!can_make_containers()) return;
  const Scene scene;
  Process container(in_container(scene, {"--nproc", "2"},
                                 with_loader({"print", "up", "wait-file", scene.path("go")})));
  for (int i = 0; i < 2; ++i) container.until("up");
  kill(child_of(container.pid()), SIGTSTP);
  write_file(scene.path("go"), "");
  CHECK(finish(scene, container).status == Status{.code = 0});
}

TEST_CASE("as PID 1 it survives its supervisor and reports its death") {
  if (!can_make_containers()) return;
  const Scene scene;
  Process container(in_container(scene, {"--nproc", "2"}, with_loader({"print", "up", "pause"})));
  for (int i = 0; i < 2; ++i) container.until("up");
  kill(child_of(child_of(container.pid())), SIGKILL);
  CHECK(finish(scene, container).status == Status{.code = 70});
}

TEST_CASE("as PID 1 it reaps orphans of other processes") {
  if (!can_make_containers()) return;
  const Scene scene;
  Process container(in_container(scene, {"--nproc", "1"}, helper({"print", "up", "pause"})));
  container.until("up");
  const int keeper = child_of(container.pid());
  // Another process enters the container, like `docker exec`, and leaves an orphan.
  Process other({.argv = Words{"nsenter", "--pid", "--target", std::to_string(keeper), "--"} +
                         helper({"fork", "[", "print", "orphan", "wait-file", scene.path("go"), "]",
                                 "exit", "0"}),
                 .env = scene.env});
  other.until("orphan");
  CHECK(other.wait_exit() == Status{.code = 0});
  const auto below = descendants(keeper);
  const auto orphan = std::find_if(below.begin(), below.end(), [&](const auto& process) {
    return process.parent == keeper && process.name == "ddp-test-helper";
  });
  REQUIRE(orphan != below.end());
  write_file(scene.path("go"), "");
  const Deadline deadline;
  while (is_zombie_or_there(orphan->pid) && !deadline.passed()) sched_yield();
  CHECK_FALSE(is_zombie_or_there(orphan->pid));
  kill(keeper, SIGTERM);
  CHECK(finish(scene, container).status == Status{.code = 143});
}

TEST_CASE("a job of an interactive shell: Ctrl-Z, fg, Ctrl-Z, kill %1") {
  Scene scene;
  scene.env["PS1"] = "ready> ";
  scene.env["TERM"] = "dumb";
  scene.env["NO_COLOR"] = "1";
  Start start{.argv = {"/bin/bash", "--norc", "--noprofile", "--noediting", "-i"},
              .env = scene.env};
  start.stdio = Stdio::terminal;
  Process shell(std::move(start));
  std::string command = launcher_path() + " --nproc 2 --shutdown-timeout 200ms --";
  for (const auto& word : with_loader({"print", "up{RANK}", "pause"})) command += " " + word;
  shell.send(command + "\n");
  for (int i = 0; i < 2; ++i) shell.until("] up");

  const auto all_stopped = [&] {
    const Deadline deadline;
    int stopped = 0;
    for (const auto& process : descendants(shell.pid())) {
      // Not the data loaders, which left their workers' groups.
      if (process.parent != shell.pid() && descendants(process.pid).empty()) continue;
      while (status_field(process.pid, "State") != "T (stopped)" && !deadline.passed())
        sched_yield();
      stopped += status_field(process.pid, "State") == "T (stopped)";
    }
    return stopped;
  };
  for (int round = 0; round < 2; ++round) {
    shell.send("\x1a");
    shell.until("Stopped");
    CHECK(all_stopped() == 2 + 2);  // keeper, supervisor, workers
    if (round == 0) {
      shell.send("fg\n");
      const Deadline deadline;
      const int keeper = child_of(shell.pid());
      while (status_field(keeper, "State") != "S (sleeping)" && !deadline.passed()) sched_yield();
    }
  }
  const int keeper = child_of(shell.pid());
  shell.send("kill %1\n");
  CHECK(wait_gone(keeper, Deadline()));
  shell.send("\n");
  shell.until("Exit 143");
  CHECK(descendants(shell.pid()).empty());
  shell.send("exit 0\n");
  shell.wait();
  shell.wait_nothing_left();
  scene.check_no_file_left();
}

TEST_CASE("children of a script that execs the launcher are not killed") {
  const Scene scene;
  auto start = scene.start({"--nproc", "1"}, helper({"print", "up", "exit", "3"}));
  start.argv =
      Words{"/bin/sh", "-c", std::string(DDP_TEST_HELPER) + " pause >&2 & exec \"$@\"", "sh"} +
      start.argv;
  Process launch(std::move(start));
  launch.until("up");
  CHECK(launch.wait_exit() == Status{.code = 3});
  const auto left = launch.below();
  REQUIRE(left.size() == 1);
  kill(left.front().pid, SIGKILL);
  finish(scene, launch);
  launch.wait_nothing_left();
}

TEST_CASE("a process that forks faster than it can be killed one by one is killed") {
  for (const char* off : {"", "cgroup"}) {
    CAPTURE(off);
    Scene scene;
    scene.env["DDP_LAUNCH_TEST_OFF"] = off;
    Process launch = scene.launch(
        {"--nproc", "2"}, helper({"fork", "[", "setsid", "flee", "]", "print", "up", "pause"}));
    for (int i = 0; i < 2; ++i) launch.until("up");
    launch.send_signal(SIGTERM);
    CHECK(finish(scene, launch).status == Status{.code = 143});
    CHECK(descendants(getpid()).empty());
  }
}
