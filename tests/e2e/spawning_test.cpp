// A launch that does not complete: interrupted half-way, or refused by the system at some rank.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

using namespace ddp::test;

namespace {

Words with_loader(const Words& steps) {
  return steps + Words{"fork", "[", "setsid", "ignore", "TERM", "pause", "]", "pause"};
}

Start limited(Start start, const std::string& limit) {
  start.argv = Words{"prlimit", limit} + start.argv;
  return start;
}

// The failure report's text about the rank that could not be started.
void check_not_started(const Finished& run, int code, const std::string& why) {
  CHECK(run.status == Status{.code = code});
  CHECK_MESSAGE(contains(run.err, "could not be started: "), run.err);
  CHECK_MESSAGE(contains(run.err, why), run.err);
}

int workers_of(int supervisor) {
  int workers = 0;
  for (const auto& process : descendants(supervisor)) workers += process.parent == supervisor;
  return workers;
}

}  // namespace

TEST_CASE("200 spawns interrupted half-way leave no process") {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Scene scene;
    Process launch =
        scene.launch({"--nproc", "200", "--shutdown-timeout", "10000"},
                     helper(with_loader({"on-rank", "70", "[", "kill", "{PPID}", "STOP", "]"})));
    const Deadline deadline;
    while (descendants(launch.pid()).empty() && !deadline.passed()) sched_yield();
    const int supervisor = supervisor_pid(launch);
    while (status_field(supervisor, "State") != "T (stopped)" && !deadline.passed()) sched_yield();
    const int started = workers_of(supervisor);
    launch.send_signal(SIGTERM);
    launch.send_signal(SIGINT);  // counts as the second, and kills
    // Of two pending signals the kernel delivers the lower number first.
    const int code = finish(scene, launch).status.code;
    CHECK_MESSAGE((code == 130 || code == 143), code);
    CHECK(descendants(getpid()).empty());
    if (started >= 70 && started < 200) return;
  }
  FAIL("the supervisor was never stopped half-way");
}

TEST_CASE("without a descriptor for a rank the started ranks are stopped") {
  const Scene scene;
  auto start =
      scene.start({"--nproc", "64", "--shutdown-timeout", "200ms"}, helper(with_loader({})));
  // The rank that fails leaves fewer than it needs, and with this number more than none: a
  // sanitizer checks an object's type through a pipe, and takes a refused pipe for a bad object.
  Process launch(limited(start, "--nofile=122:122"));
  check_not_started(finish(scene, launch), 71, "Too many open files");
}

// A launch or a campaign under each small limit: 0, or 71 and a reason. A campaign may have
// run a plan that was not met because of the limit.
template <class Make>
void check_few_descriptors(int first, const Make& make) {
  if (kSanitized) {
    MESSAGE("a sanitizer needs descriptors itself");
    return;
  }
  int refused = 0;
  int done = 0;
  for (int limit = first; limit <= 32; ++limit) {
    CAPTURE(limit);
    const std::string number = std::to_string(limit);
    const Scene scene;
    Process launch(limited(make(scene), "--nofile=" + number + ":" + number));
    const auto run = finish(scene, launch);
    CAPTURE(run.err);
    // A dynamically linked program cannot start without a descriptor.
    if (contains(run.err, "error while loading shared libraries")) continue;
    if (run.status == Status{.code = 0}) {
      ++done;
      CHECK(run.err == "");
      continue;
    }
    ++refused;
    CHECK_MESSAGE((run.status == Status{.code = 71} || contains(run.out, "1 NOT MET")), run.status);
    CHECK(contains(run.err + run.out, "Too many open files"));
    for (const auto& line : lines_of(run.err)) {
      if (line.starts_with("  diagnosis: too many open files") || line.starts_with("  try: "))
        continue;
      CHECK(line.starts_with("ddp-launch: "));
      CHECK(contains(line, "Too many open files"));
    }
  }
  CHECK(refused > 0);
  CHECK(done > 0);
}

TEST_CASE("with few descriptors a launch fails with a message and leaves nothing") {
  check_few_descriptors(3, [](const Scene& scene) {
    return scene.start({"--nproc", "1"}, helper({"exit", "0"}));
  });
}

TEST_CASE("with few descriptors a campaign fails with a message and leaves nothing") {
  // With fewer its plans cannot be read: exit code 2, as if they were missing.
  check_few_descriptors(4, [](const Scene& scene) {
    write_file(scene.path("a.toml"), "");
    return scene.start({"--campaign", ".", "--nproc", "1"}, helper({"exit", "0"}));
  });
}

TEST_CASE("a soft limit on descriptors is raised for the launcher and kept for its workers") {
  const Scene scene;
  auto start = scene.start({"--nproc", "64"}, {"/bin/sh", "-c", "ulimit -S -n"});
  Process launch(limited(start, "--nofile=120:"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(by_rank(run.out)[63] == Words{"120"});
}

TEST_CASE("an ordinary user's process limit is reported") {
  if (!can_be_other_user()) return;
  const Scene scene;
  scene.give_to(kOtherUser);
  auto start = scene.start({"--nproc", "64", "--shutdown-timeout", "200ms"},
                           helper({"on-rank", "0", "[", "fork", "[", "setsid", "ignore", "TERM",
                                   "pause", "]", "]", "pause"}));
  Process launch(limited(as_other_user(start), "--nproc=40:40"));
  check_not_started(finish(scene, launch), 71, "Resource temporarily unavailable");
}

TEST_CASE("a program removed while ranks start is reported") {
  const Scene scene;
  const std::string program = scene.path("worker");
  std::filesystem::copy_file(DDP_TEST_HELPER, program);
  Words command = helper(with_loader({"on-rank", "0", "[", "kill", "{PPID}", "STOP", "remove",
                                      program, "kill", "{PPID}", "CONT", "]"}));
  command[0] = program;
  const auto run =
      scene.run({"--nproc", "150", "--max-restarts", "3", "--shutdown-timeout", "200ms"}, command);
  check_not_started(run, 127, "No such file");
  CHECK_FALSE(contains(run.err, "rank 0 could not"));
}
