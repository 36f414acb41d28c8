// Each mechanism of containment is switched off: the leak it prevents must appear, or the tests
// that find no leak prove nothing.
#include "tests/e2e/launch.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

using namespace ddp::test;

namespace {

// Every rank has a daemon: forked twice, in a new session. It holds no pipe, since the
// launcher would wait for the end of those.
Words with_daemon(const Words& steps) {
  return helper(Words{"fork", "[", "setsid", "fork", "[", "setsid", "ignore", "TERM", "close", "1",
                      "close", "2", "pause", "]", "exit", "0", "]"} +
                steps);
}

struct Launch {
  explicit Launch(const std::string& off)
      : process([&] {
          scene.env["DDP_LAUNCH_TEST_OFF"] = off;
          auto start = scene.start({"--nproc", "2", "--shutdown-timeout", "200ms"},
                                   with_daemon({"print", "up {PID}", "pause"}));
          start.new_group = true;
          return Process(std::move(start));
        }()) {
    for (int i = 0; i < 2; ++i) {
      const std::string line = process.until("up ");
      workers.push_back(std::stoi(line.substr(line.find("up ") + 3)));
    }
  }
  Scene scene;
  std::vector<int> workers;
  Process process;
};

int living(const std::vector<ProcessInfo>& processes) {
  return static_cast<int>(std::count_if(processes.begin(), processes.end(),
                                        [](const auto& process) { return process.state != 'Z'; }));
}

// How often a sleeping process has been woken.
class Wakes {
 public:
  explicit Wakes(int pid) : pid_(pid), before_(count()) {}
  void wait(long wanted) const {
    const Deadline deadline;
    while (count() < before_ + wanted && !deadline.passed()) sched_yield();
    CHECK_FALSE(deadline.passed());
  }

 private:
  long count() const { return std::stol(status_field(pid_, "voluntary_ctxt_switches")); }
  int pid_;
  long before_;
};

// A worker that printed "up" may not have paused yet.
void wait_asleep(int pid) {
  const Deadline deadline;
  while (status_field(pid, "State") != "S (sleeping)" && !deadline.passed()) sched_yield();
  CHECK_FALSE(deadline.passed());
}

// How many daemons outlive a launch that is stopped.
int daemons_left(const std::string& off) {
  Launch launch(off);
  launch.process.send_signal(SIGTERM);
  CHECK(launch.process.wait_exit() == Status{.code = 143});
  return living(launch.process.below());
}

// Removes the cgroups of a launch that could not, once no process is in them.
void remove_groups(int pid) {
  const Deadline deadline;
  for (const auto& [inode, group] : launch_groups(pid))
    while (rmdir(group.c_str()) != 0 && errno == EBUSY && !deadline.passed()) sched_yield();
}

// The same if only the launch's cgroup kills them: as the keeper's last act, so that no process
// waits for those that it kills. They ignore SIGTERM and wait indefinitely: nothing else ends them.
int daemons_left_by_cgroup() {
  Launch launch("subreaper");
  launch.process.send_signal(SIGTERM);
  CHECK(launch.process.wait_exit() == Status{.code = 143});
  const Deadline deadline;
  for (const auto& process : launch.process.below()) wait_gone(process.pid, deadline);
  const int left = living(launch.process.below());
  // It was still populated when the keeper would have removed it.
  remove_groups(launch.process.pid());
  return left;
}

// Whether a worker survives if the supervisor is killed and the keeper is stopped.
bool worker_outlives_supervisor(const std::string& off) {
  Launch launch(off);
  const int supervisor = supervisor_pid(launch.process);
  for (const int worker : launch.workers) wait_asleep(worker);
  launch.process.send_signal(SIGSTOP);
  launch.process.wait_stopped();
  kill(supervisor, SIGKILL);
  CHECK(wait_gone(supervisor, Deadline()));
  // The death signal is sent before the supervisor's death is visible; its targets may still be
  // exiting.
  const bool lives =
      off.empty() ? !wait_gone(launch.workers[0], Deadline())
                  : status_field(launch.workers[0], "State") == "S (sleeping)" &&
                        status_field(launch.workers[0], "SigPnd").find('1') == std::string::npos;
  launch.process.send_signal(SIGCONT);
  CHECK(launch.process.wait_exit() == Status{.code = 70});
  CHECK(launch.process.below().empty());
  return lives;
}

}  // namespace

TEST_CASE("with every mechanism no daemon escapes") { CHECK(daemons_left("") == 0); }

TEST_CASE("without subreaper and cgroup a daemon escapes") {
  CHECK(daemons_left("subreaper,cgroup") == 2);
}

TEST_CASE("either subreaper or cgroup alone lets no daemon escape") {
  CHECK(daemons_left("cgroup") == 0);
  if (std::filesystem::exists("/sys/fs/cgroup/unified/cgroup.procs") && geteuid() == 0) {
    CHECK(daemons_left_by_cgroup() == 0);
  } else {
    MESSAGE("no writable cgroup v2 here: only the subreaper was tried");
  }
}

TEST_CASE("only the death signal ends a worker when the supervisor dies") {
  CHECK_FALSE(worker_outlives_supervisor(""));
  CHECK(worker_outlives_supervisor("death-signal"));
}

TEST_CASE("killing the whole job leaves daemons if the supervisor is part of it") {
  for (const bool apart : {true, false}) {
    Launch launch(apart ? "" : "apart");
    REQUIRE(kill(-launch.process.pid(), SIGKILL) == 0);
    CHECK(launch.process.wait_exit() == Status{.signal = SIGKILL});
    if (apart) {
      launch.process.wait_nothing_left();
      launch.scene.check_no_file_left();
      continue;
    }
    const Deadline deadline;
    for (const int worker : launch.workers) CHECK(wait_gone(worker, deadline));
    const auto daemons = launch.process.below();
    CHECK(living(daemons) == 2);
    for (const auto& daemon : daemons) kill(daemon.pid, SIGKILL);
    remove_groups(launch.process.pid());
  }
}

TEST_CASE("a supervisor that ignores a stop request is killed with all its processes") {
  Launch launch("hearing,asking");
  launch.process.send_signal(SIGTERM);
  CHECK(launch.process.wait_exit() == Status{.code = 70});
  CHECK(launch.process.below().empty());
  launch.process.wait();
  CHECK(launch.process.err().find("the supervisor does not respond") != std::string::npos);
}

TEST_CASE("a supervisor held by a debugger is not killed") {
  Launch launch("asking");
  const int supervisor = supervisor_pid(launch.process);
  if (ptrace(PTRACE_SEIZE, supervisor, nullptr, nullptr) != 0) {
    MESSAGE("no process may be traced here: nothing to test");
    return;
  }
  REQUIRE(ptrace(PTRACE_INTERRUPT, supervisor, nullptr, nullptr) == 0);
  REQUIRE(waitpid(supervisor, nullptr, __WALL) == supervisor);
  const Wakes wakes(launch.process.pid());
  launch.process.send_signal(SIGTERM);
  wakes.wait(4);  // for the signal, and each time the supervisor should have received it
  REQUIRE(ptrace(PTRACE_DETACH, supervisor, nullptr, nullptr) == 0);
  CHECK(launch.process.wait_exit() == Status{.code = 143});
}
