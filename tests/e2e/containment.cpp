#include "tests/e2e/containment.hpp"

#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <utility>

namespace ddp::test {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

#ifdef __SANITIZE_ADDRESS__
constexpr Milliseconds kAllowance{500};  // an instrumented launcher starts and ends slowly
#else
constexpr Milliseconds kAllowance{100};
#endif
constexpr int kAttempts = 3;

bool port_is_free(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return free;
}

// Runnable processes per processor, at least 1: everything takes longer by this factor.
double crowding() {
  double load = 0;
  if (getloadavg(&load, 1) != 1) return 1;
  return std::max(1.0, load / static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)));
}

class Attempt {
 public:
  explicit Attempt(const Case& one) : case_(one), launch_(start_of(one, scene_)) {}

  // From the event to the launcher's exit; empty if the phase was over before the event.
  std::optional<Milliseconds> run() {
    reach_phase();
    if (!reached_) return std::nullopt;
    const auto began = inject();
    if (case_.injection == Injection::keeper_killed ||
        case_.injection == Injection::parent_killed) {
      launch_.wait_nothing_left();
      const auto ended = Clock::now();
      check_end();
      return ended - began;
    }
    const Status status = launch_.wait_exit();
    const auto ended = Clock::now();
    const std::string left = describe(descendants(getpid()));
    CHECK(left == "");  // zombies included
    CHECK_MESSAGE(expected_codes(case_).count(status.code) == 1, "left with " << status);
    check_end();
    return ended - began;
  }

 private:
  int launcher_pid() const {
    if (case_.injection != Injection::parent_killed) return launch_.pid();
    for (const auto& process : descendants(launch_.pid())) {
      if (process.parent == launch_.pid()) return process.pid;
    }
    throw std::runtime_error("the launcher is not there");
  }

  int supervisor() const {
    const int keeper = launcher_pid();
    for (const auto& process : descendants(keeper)) {
      if (process.parent == keeper) return process.pid;
    }
    throw std::runtime_error("the launch has no supervisor");
  }

  std::string until(const std::string& text) { return launch_.until(text); }
  void until_printed(const std::string& text) {  // by the launcher itself
    if (at_terminal(case_.injection)) {
      launch_.until(text);
    } else {
      launch_.until_err(text);
    }
  }

  void reach_phase() {
    switch (case_.phase) {
      case Phase::spawning:
        return reach_spawning();
      case Phase::running:
      case Phase::tearing_down:
        for (int i = 0; i < case_.nproc; ++i) hear_up();
        if (case_.phase == Phase::running) return;
        // A stop after the SIGCONT of a teardown would last until SIGKILL.
        wait_until([&] { return status_field(pids_[2], "State") == "T (stopped)"; });
        write_file(scene_.path("go"), "");
        until("signalled");
        return;
      case Phase::backing_off:
        return until_printed("restarting the group in");
      case Phase::between_generations:
        for (int i = 0; i < 3; ++i) until_printed("restarting the group");
    }
  }

  // "[0] up <pid> <port>"
  void hear_up() {
    const std::string line = until("up ");
    const auto at = line.find("up ") + 3;
    const auto blank = line.find(' ', at);
    const int rank = std::stoi(line.substr(line.find_first_of("0123456789")));
    pids_[rank] = std::stoi(line.substr(at));
    port_ = std::stoi(line.substr(blank + 1));
  }

  template <class Condition>
  static void wait_until(const Condition& condition) {
    const Deadline deadline;
    while (!condition()) {
      if (deadline.passed()) throw std::runtime_error("the phase was not reached");
      sched_yield();
    }
  }

  // Rank 1 stops the supervisor, which has then started some of the ranks.
  void reach_spawning() {
    wait_until([&] { return !descendants(launcher_pid_or_none()).empty(); });
    stopped_supervisor_ = supervisor();
    wait_until([&] { return status_field(stopped_supervisor_, "State") == "T (stopped)"; });
    int started = 0;
    for (const auto& process : descendants(stopped_supervisor_)) {
      started += process.parent == stopped_supervisor_;
    }
    reached_ = started < case_.nproc;
    for (const auto& process : processes_with("RANK", "0")) {
      if (process.parent == stopped_supervisor_) pids_[0] = process.pid;
    }
  }

  int launcher_pid_or_none() const {
    if (case_.injection != Injection::parent_killed) return launch_.pid();
    const auto below = descendants(launch_.pid());
    return below.empty() ? -1 : below.front().pid;
  }

  Clock::time_point inject() {
    const int victim = pids_[case_.phase == Phase::tearing_down ? 2 : 0];
    const auto kill_rank = [&](int signal) {
      REQUIRE(victim > 1);
      const auto began = Clock::now();
      kill(victim, signal);
      return go_on(victim, began);
    };
    const auto began = Clock::now();
    switch (case_.injection) {
      case Injection::exit_0:
      case Injection::exit_3:
        write_file(scene_.path("go"), "");
        return go_on(victim, began);
      case Injection::rank_killed:
        return kill_rank(SIGKILL);
      case Injection::rank_segv:
        return kill_rank(SIGSEGV);
      case Injection::keeper_killed:
        launch_.send_signal(SIGKILL);
        return began;
      case Injection::parent_killed:
        launch_.send_signal(SIGKILL);
        return began;
      case Injection::supervisor_killed: {
        const int pid = supervisor();
        const auto at = Clock::now();
        kill(pid, SIGKILL);
        return at;
      }
      case Injection::ctrl_c:
        launch_.send("\x03");
        return began;
      case Injection::terminal_gone:
        launch_.hang_up();
        return began;
      case Injection::interrupt_twice: {
        launch_.send_signal(SIGINT);
        until("signalled");
        until_printed("waiting up to");  // sooner it would be the same request
        const auto second = Clock::now();
        launch_.send_signal(SIGINT);
        return second;
      }
      case Injection::interrupt_then_term:
        launch_.send_signal(SIGINT);
        launch_.send_signal(SIGTERM);
        return began;
      default:
        launch_.send_signal(stop_signal(case_.injection));
        return began;
    }
  }

  // A rank of a stopped supervisor exits first; then the supervisor continues.
  Clock::time_point go_on(int victim, Clock::time_point began) {
    if (case_.phase != Phase::spawning) return began;
    CHECK(wait_gone(victim, Deadline()));
    const auto at = Clock::now();
    kill(stopped_supervisor_, SIGCONT);
    return at;
  }

  void check_end() {
    launch_.wait();  // also waits for the end of its output: no process holds the pipes
    scene_.check_nothing_left(launch_);
    if (port_ > 0) CHECK(port_is_free(port_));
  }

  const Case case_;
  const Scene scene_;
  Process launch_;
  std::map<int, int> pids_;  // of the ranks, as far as they are known
  int port_ = 0;
  int stopped_supervisor_ = 0;
  bool reached_ = true;
};

}  // namespace

void check_contained(const Case& one) {
  const std::string name = to_string(one);
  CAPTURE(name);
  const Milliseconds bound = grace_of(one) + kAllowance * timeout_scale() * crowding();
  Milliseconds best = Milliseconds::max();
  for (int attempt = 0, reached = 0; reached < kAttempts && best > bound; ++attempt) {
    REQUIRE(attempt < 10 * kAttempts);
    if (const auto taken = Attempt(one).run()) {
      ++reached;
      best = std::min(best, *taken);
    }
  }
  CHECK(best.count() <= bound.count());
}

}  // namespace ddp::test
