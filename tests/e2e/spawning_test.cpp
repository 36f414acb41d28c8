// A launch that does not come to be: interrupted half-way, or refused by the system at some rank.
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

// What the verdict says of the rank that could not be started: "<text>".
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

TEST_CASE("200 spawns interrupted half-way") {
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
    // Of two that wait to be read the kernel hands out the lower number first.
    const int code = finish(scene, launch).status.code;
    CHECK_MESSAGE((code == 130 || code == 143), code);
    CHECK(descendants(getpid()).empty());
    if (started >= 70 && started < 200) return;
  }
  FAIL("the supervisor was never stopped half-way");
}

TEST_CASE("no descriptor for a rank is the system's refusal, and those started go") {
  const Scene scene;
  auto start = scene.start({"--nproc", "64"}, helper(with_loader({})));
  Process launch(limited(start, "--nofile=120:120"));
  check_not_started(finish(scene, launch), 71, "Too many open files");
}

TEST_CASE("a soft limit on descriptors is raised for the launcher and kept for its workers") {
  const Scene scene;
  auto start = scene.start({"--nproc", "64"}, {"/bin/sh", "-c", "ulimit -S -n"});
  Process launch(limited(start, "--nofile=120:"));
  const auto run = finish(scene, launch);
  CHECK(run.status == Status{.code = 0});
  CHECK(by_rank(run.out)[63] == Words{"120"});
}

TEST_CASE("no process for a rank, to an ordinary user") {
  if (!can_be_nobody()) return;
  const Scene scene;
  scene.give_to(kNobody);
  auto start =
      scene.start({"--nproc", "64"}, helper({"on-rank", "0", "[", "fork", "[", "setsid", "ignore",
                                             "TERM", "pause", "]", "]", "pause"}));
  Process launch(limited(as_nobody(start), "--nproc=40:40"));
  check_not_started(finish(scene, launch), 71, "Resource temporarily unavailable");
}

TEST_CASE("a program that is gone when the next rank is to execute it") {
  const Scene scene;
  const std::string program = scene.path("worker");
  std::filesystem::copy_file(DDP_TEST_HELPER, program);
  Words command = helper(with_loader({"on-rank", "0", "[", "kill", "{PPID}", "STOP", "remove",
                                      program, "kill", "{PPID}", "CONT", "]"}));
  command[0] = program;
  const auto run = scene.run({"--nproc", "150", "--max-restarts", "3"}, command);
  check_not_started(run, 127, "No such file");
  CHECK_FALSE(contains(run.err, "rank 0 could not"));
}
