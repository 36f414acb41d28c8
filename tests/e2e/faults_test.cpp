// Faults injected into a running worker from outside: each is observed without the launcher, in the
// target process or in /proc, and each has a control that the same fault does not affect.
#include "tests/e2e/fault_run.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <map>

using namespace ddp::test;

namespace {

// Prints its pid after step 1, at which the faults are triggered, and pauses.
const Words kPrintPid{"step", "1", "print", "pid {PID}", "pause"};

std::map<int, int> pids_of(Process& launch, int nproc) {
  std::map<int, int> pids;
  for (int i = 0; i < nproc; ++i) {
    const std::string line = launch.until("pid ");
    pids[std::stoi(line.substr(1))] = std::stoi(line.substr(line.find("pid ") + 4));
  }
  return pids;
}

Finished stop(const Scene& scene, Process& launch) {
  launch.send_signal(SIGTERM);
  return finish(scene, launch);
}

rlim_t soft_limit(int pid, __rlimit_resource resource) {
  rlimit limit{};
  REQUIRE(prlimit(pid, resource, nullptr, &limit) == 0);
  return limit.rlim_cur;
}

// Waits until the process is in one of these states of /proc/<pid>/status; false at the deadline.
bool comes_to(int pid, const std::string& states) {
  const Deadline deadline;
  while (!deadline.passed()) {
    const auto state = status_field(pid, "State").substr(0, 1);
    if (!state.empty() && states.find(state) != std::string::npos) return true;
    sched_yield();
  }
  return false;
}

}  // namespace

TEST_CASE("kill at a step is triggered at that step and its rank is the root cause") {
  const Scene scene;
  Words steps;
  for (const char* step : {"1", "2", "3", "4", "5"})
    steps = steps + Words{"step", step, "append", scene.path("journal.{RANK}"), step};
  const Words rest{"on-rank", "0", "[", "on-generation", "0", "[", "pause", "]", "]"};
  const auto run =
      scene.run(Words{"--nproc", "2", "--inject", "kill@step=3,rank=1", "--max-restarts", "1"} +
                    recorded(scene) + kRestartAtOnce,
                helper(steps + rest));
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.err, "rank 1 was killed by SIGKILL (pid "));
  CHECK(contains(run.err, "; injected: kill@rank=1,step=3,gen=0\n"));
  CHECK_FALSE(contains(run.err, "no OOM kill was seen"));
  // Two steps before the kill, and all five in the next attempt, in which it is not triggered.
  CHECK(lines_of(read_file(scene.path("journal.1"))) == Words{"1", "2", "1", "2", "3", "4", "5"});
  CHECK(injected(scene) == Words{"kill@rank=1,step=3,gen=0"});
  const auto event = events_of(scene, "fault_injected").at(0);
  CHECK(field(event, "rank") == "1");
  CHECK(field(event, "step") == "3");
  // Recorded before the death it causes.
  const std::string all = read_file(events_path(scene));
  CHECK(all.find("fault_injected") < all.find("worker_exited"));

  const auto control = scene.run({"--nproc", "2"}, helper(steps));
  CHECK(control.status == Status{.code = 0});
  CHECK(control.err == "");
}

TEST_CASE("a signal reaches the worker") {
  const Scene scene;
  const Words steps = helper({"steps", "1", "3"});
  CHECK(scene.run({"--inject", "signal=USR1@step=2,rank=0"}, steps).status ==
        Status{.code = 128 + SIGUSR1});
  CHECK(scene.run({}, steps).status == Status{.code = 0});
}

TEST_CASE("a repeated fault is recorded each time and printed ten times") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--inject", "signal=USR1@every=1step,rank=all"} + recorded(scene),
      helper({"ignore", "USR1", "steps", "1", "30"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(injected(scene).size() == 60);
  int printed = 0;
  for (const auto& line : lines_of(run.err))
    printed += line.starts_with("ddp-launch: injected signal=USR1@");
  CHECK(printed == 10);
  CHECK(contains(run.err, "more injections of signal=USR1@rank=all,every=1step follow"));
}

TEST_CASE("a rank stopped indefinitely stays stopped until the teardown") {
  const Scene scene;
  Process launch =
      scene.launch(Words{"--nproc", "2", "--inject", "stop@step=2,rank=1"} + recorded(scene),
                   helper({"step", "1", "print", "pid {PID}", "wait-file", scene.path("go"), "step",
                           "2", "print", "past it", "pause"}));
  const auto pids = pids_of(launch, 2);
  write_file(scene.path("go"), "");
  CHECK(comes_to(pids.at(1), "T"));
  launch.until("[0] past it");
  CHECK(status_field(pids.at(1), "State") == "T (stopped)");
  CHECK(status_field(pids.at(0), "State") != "T (stopped)");
  const auto run = stop(scene, launch);
  CHECK(run.status == Status{.code = 143});
  CHECK_FALSE(contains(run.out, "[1] past it"));
  CHECK(fields_of(scene, "fault_undone", "by") == Words{"teardown"});
}

TEST_CASE("fg after Ctrl-Z does not continue a rank that a fault stopped") {
  const Scene scene;
  auto start = scene.start({"--nproc", "2", "--inject", "stop@step=1,rank=1"},
                           helper({"print", "pid {PID}", "step", "1", "wait-file", scene.path("go"),
                                   "print", "on again", "pause"}));
  start.new_group = true;
  Process launch(std::move(start));
  const auto pids = pids_of(launch, 2);
  REQUIRE(comes_to(pids.at(1), "T"));
  launch.send_signal(SIGTSTP);
  launch.wait_stopped();
  REQUIRE(comes_to(pids.at(0), "T"));
  write_file(scene.path("go"), "");
  launch.send_signal(SIGCONT);
  launch.until("[0] on again");
  CHECK(status_field(pids.at(1), "State") == "T (stopped)");
  const auto run = stop(scene, launch);
  CHECK(run.status == Status{.code = 143});
}

TEST_CASE("a rank stopped for a time continues after it") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--nproc", "2", "--inject", "stop@step=1,rank=1,for=100ms"} + recorded(scene),
                helper({"step", "1", "print", "past it"}));
  CHECK(run.status == Status{.code = 0});
  CHECK(contains(run.out, "[1] past it"));
  CHECK(fields_of(scene, "fault_undone", "by") == Words{"time"});
  const auto began = std::stoll(fields_of(scene, "fault_injected", "t_ns").at(0));
  const auto ended = std::stoll(fields_of(scene, "fault_undone", "t_ns").at(0));
  // The first is recorded a moment after the time from which it counts.
  CHECK(ended - began >= 50'000'000);
  // It could not exit while it was stopped.
  for (const auto& line : events_of(scene, "worker_exited")) {
    if (field(line, "rank") == "1") CHECK(std::stoll(field(line, "t_ns")) >= ended);
  }
}

TEST_CASE("a rank stopped twice continues after both; each end is recorded") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "1", "--inject", "stop@step=1,for=150ms", "--inject", "stop@step=1,for=50ms",
            "--inject", "open-files=77@step=2", "--inject", "open-files=66@step=2"} +
          recorded(scene),
      helper({"step", "1", "step", "2", "print", "past it"}));
  CHECK(run.status == Status{.code = 0});
  // The limits: one was replaced, one ended with the process.
  CHECK(fields_of(scene, "fault_undone", "by") == Words{"time", "time", "another", "exit"});
  const auto began = std::stoll(fields_of(scene, "fault_injected", "t_ns").at(0));
  for (const auto& line : events_of(scene, "worker_exited"))
    CHECK(std::stoll(field(line, "t_ns")) - began >= 100'000'000);
}

TEST_CASE("a slowed rank stops and continues periodically; the others do not") {
  const Scene scene;
  Process launch =
      scene.launch({"--nproc", "2", "--inject", "slow=0.5@step=1,rank=1"}, helper(kPrintPid));
  const auto pids = pids_of(launch, 2);
  for (int i = 0; i < 3; ++i) {
    CHECK(comes_to(pids.at(1), "T"));
    CHECK(status_field(pids.at(0), "State") != "T (stopped)");
    CHECK(comes_to(pids.at(1), "RS"));
  }
  CHECK(stop(scene, launch).status == Status{.code = 143});
}

TEST_CASE("limits apply to the target rank only and are undone after their time") {
  const Scene scene;
  Process launch = scene.launch(
      Words{"--nproc", "2", "--inject", "memory=1G@step=1,rank=0", "--inject",
            "file-size=4096@step=1,rank=0", "--inject", "open-files=77@step=1,rank=0,for=100ms",
            "--inject", "cpu-time=90@step=1,rank=0"} +
          recorded(scene),
      helper(kPrintPid));
  const auto pids = pids_of(launch, 2);
  const int other = pids.at(1);
  CHECK(soft_limit(pids.at(0), RLIMIT_AS) == 1 << 30);
  CHECK(soft_limit(other, RLIMIT_AS) == soft_limit(getpid(), RLIMIT_AS));
  CHECK(soft_limit(pids.at(0), RLIMIT_FSIZE) == 4096);
  CHECK(soft_limit(other, RLIMIT_FSIZE) == soft_limit(getpid(), RLIMIT_FSIZE));
  CHECK(soft_limit(pids.at(0), RLIMIT_CPU) == 90);
  CHECK(soft_limit(other, RLIMIT_CPU) == soft_limit(getpid(), RLIMIT_CPU));
  const Deadline deadline;
  while (events_of(scene, "fault_undone").empty() && !deadline.passed()) sched_yield();
  while (soft_limit(pids.at(0), RLIMIT_NOFILE) == 77 && !deadline.passed()) sched_yield();
  CHECK(soft_limit(pids.at(0), RLIMIT_NOFILE) == soft_limit(other, RLIMIT_NOFILE));
  CHECK(injected(scene).size() == 4);
  CHECK(stop(scene, launch).status == Status{.code = 143});
  CHECK(fields_of(scene, "fault_undone", "by") == Words{"time", "exit", "exit", "exit"});
}

TEST_CASE("a limit fails the worker like a full disk or descriptor table") {
  const Scene scene;
  const Words steps = helper(
      {"no-core", "append", scene.path("f"), "one", "step", "1", "append", scene.path("f"), "two"});
  CHECK(scene.run({"--inject", "file-size=4@step=1"}, steps).status ==
        Status{.code = 128 + SIGXFSZ});
  const auto full = scene.run({"--inject", "open-files=3@step=1"}, steps);
  CHECK(full.status == Status{.code = 99});
  CHECK(contains(full.err, "Too many open files"));
  CHECK(scene.run({}, steps).status == Status{.code = 0});
}

TEST_CASE("pin puts all threads of a worker on one core") {
  const Scene scene;
  cpu_set_t usable;
  REQUIRE(sched_getaffinity(0, sizeof usable, &usable) == 0);
  std::size_t core = 0;
  while (!CPU_ISSET(core, &usable)) ++core;
  Process launch =
      scene.launch({"--nproc", "2", "--inject", "pin=" + std::to_string(core) + "@step=1,rank=0",
                    "--inject", "pin=1023@step=1,rank=1"},
                   helper(kPrintPid));
  const auto pids = pids_of(launch, 2);
  CHECK(status_field(pids.at(0), "Cpus_allowed_list") == std::to_string(core));
  cpu_set_t others;
  REQUIRE(sched_getaffinity(pids.at(1), sizeof others, &others) == 0);
  CHECK(CPU_EQUAL(&others, &usable));
  const auto run = stop(scene, launch);
  CHECK(contains(run.err, "could not inject pin=1023@rank=1,step=1,gen=0: there is no core 1023"));
}

TEST_CASE("blocked output stops the writer and arrives in full after the fault") {
  const Scene scene;
  const auto run = scene.run(
      Words{"--nproc", "2", "--inject", "block-output@step=1,rank=0,for=300ms"} + recorded(scene),
      helper({"step", "1", "write-lines", "3000"}));
  CHECK(run.status == Status{.code = 0});
  for (const int rank : {0, 1}) CHECK(by_rank(run.out).at(rank).size() == 3000);
  // Undone by its time, not by the worker's exit: the worker could not exit.
  CHECK(fields_of(scene, "fault_undone", "by") == Words{"time"});

  // The teardown reads the pipe again, or the worker's last lines would be lost.
  const auto killed = scene.run(
      Words{"--nproc", "2", "--inject", "block-output@step=1,rank=0", "--inject",
            "kill@step=2,rank=1"} +
          recorded(scene, "killed"),
      helper({"step", "1", "on-rank", "0", "[", "print", "held", "touch", scene.path("said"),
              "pause", "]", "wait-file", scene.path("said"), "step", "2"}));
  CHECK(killed.status == Status{.code = 137});
  CHECK(contains(killed.out, "[0] held"));
  CHECK(fields_of(scene, "fault_undone", "by", "killed") == Words{"teardown"});
}

TEST_CASE("each trigger (line, phase, time, ready) triggers its fault only") {
  const Scene scene;
  const struct {
    const char* spec;
    Words steps;
  } kCases[] = {
      {"kill@line='^all 4 ranks',rank=0", {"print", "all 4 ranks are here", "pause"}},
      {"kill@phase=checkpoint,rank=0", {"notify", "X_DDP_PHASE=checkpoint", "pause"}},
      {"kill@after=20ms,rank=0", {"pause"}},
      {"kill@ready=20ms,rank=0", {"notify", "READY=1", "pause"}},
  };
  for (const auto& one : kCases) {
    CAPTURE(one.spec);
    CHECK(scene.run({"--inject", one.spec}, helper(one.steps)).status == Status{.code = 137});
  }
  Words specs{"--nproc", "1"};
  for (const auto& one : kCases) specs = specs + Words{"--inject", one.spec};
  specs[7] = "kill@after=1h,rank=0";
  CHECK(scene.run(specs, helper({"print", "not all 4 ranks", "notify", "X_DDP_PHASE=training"}))
            .status == Status{.code = 0});
}

TEST_CASE("workers see that a plan is active only if one is") {
  const Scene scene;
  const Words steps = helper({"env", "DDP_FAULTS"});
  CHECK(contains(scene.run({"--inject", "kill@step=9"}, steps).out, "DDP_FAULTS=\n"));
  CHECK(contains(scene.run({"--inject", "exit=3@step=7,rank=0"}, steps).out,
                 "DDP_FAULTS=0/0:exit=3@rank=0,step=7,seed=0\n"));
  Scene nested;
  nested.env["DDP_FAULTS"] = "0/0:exit=3@rank=0,step=7,seed=0";  // meant for the launcher
  CHECK(contains(nested.run({}, steps).out, "DDP_FAULTS unset\n"));
}

TEST_CASE("a fault that a worker injects is recorded once and only if planned") {
  const Scene scene;
  const auto run =
      scene.run(Words{"--inject", "exit=3@step=7,rank=0"} + recorded(scene),
                helper({"step", "7", "notify", "X_DDP_FAULT=5.0@7", "notify", "X_DDP_FAULT=0.0@7",
                        "notify", "X_DDP_FAULT=0.0@7", "sync", "exit", "3"}));
  CHECK(run.status == Status{.code = 3});
  CHECK(injected(scene) == Words{"exit=3@rank=0,step=7,gen=0"});
  CHECK(contains(run.err, "rank 0 exited with code 3"));
  CHECK(contains(run.err, "; injected: exit=3@rank=0,step=7,gen=0"));
}
