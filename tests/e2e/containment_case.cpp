#include "tests/e2e/containment_case.hpp"

#include <signal.h>

namespace ddp::test {
namespace {

constexpr std::chrono::milliseconds kGrace{200};

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::spawning:
      return "spawning";
    case Phase::running:
      return "running";
    case Phase::tearing_down:
      return "tearing down";
    case Phase::backing_off:
      return "backing off";
    case Phase::between_generations:
      return "between generations";
  }
  return "?";
}

const char* name_of(Injection injection) {
  static constexpr const char* kNames[] = {"every rank exits 0",
                                           "a rank exits 3",
                                           "a rank killed",
                                           "a rank's SIGSEGV",
                                           "SIGTERM",
                                           "SIGINT",
                                           "SIGINT twice",
                                           "SIGINT, then SIGTERM",
                                           "SIGHUP",
                                           "SIGQUIT",
                                           "keeper killed",
                                           "supervisor killed",
                                           "Ctrl-C at a terminal",
                                           "terminal hangs up",
                                           "parent killed"};
  return kNames[static_cast<int>(injection)];
}

// In this case the grace period must not be what ends the workers that ignore SIGTERM.
bool kills_at_once(const Case& one) {
  if (one.injection == Injection::interrupt_twice) return true;
  return one.injection == Injection::interrupt_then_term &&
         (one.phase == Phase::spawning || one.phase == Phase::tearing_down);
}

Words program(const Case& one, const Scene& scene) {
  Words steps{"no-core"};
  if (one.phase == Phase::spawning) {
    steps = steps + Words{"on-rank", "1", "[", "kill", "{PPID}", "STOP", "]"};
  }
  const Words deaf{"ignore", "TERM", "ignore", "INT"};
  steps = steps + Words{"fork", "[", "setsid", "ignore", "HUP"} + deaf + Words{"pause", "]"};
  if (one.nproc <= 4) {
    steps = steps + Words{"fork", "[", "setsid", "fork", "[", "setsid"} + deaf +
            Words{"pause", "]", "exit", "0", "]"};
  }
  if (one.injection == Injection::exit_0) {
    return helper(steps + Words{"print", "up {PID} {MASTER_PORT}", "wait-file", scene.path("go")});
  }
  const bool fails_by_itself =
      one.phase == Phase::backing_off || one.phase == Phase::between_generations;
  const bool hears =
      one.phase == Phase::tearing_down || one.injection == Injection::interrupt_twice;
  if (hears) {
    const std::string name = one.injection == Injection::interrupt_twice ? "INT" : "TERM";
    steps = steps +
            Words{"on-rank", "2", "[", "on-signal", name, "[", "print", "signalled", "]", "]"} +
            Words{"on-rank", "3", "["} + deaf + Words{"]"};
  }
  steps = steps + Words{"on-rank", "0", "[", "listen-master", "]"} + Words{"on-rank", "1", "["} +
          deaf + Words{"]", "print", "up {PID} {MASTER_PORT}"};
  if (fails_by_itself) {
    steps = steps + Words{"on-rank", "0", "[", "exit", "3", "]"};
  } else {
    steps = steps + Words{"on-rank", "2", "[", "stop", "]"} +
            Words{"on-rank", "3", "[", "close", "1", "close", "2", "]"} +
            Words{"on-rank", "0", "[", "wait-file", scene.path("go"), "exit", "3", "]"};
  }
  return helper(steps + Words{"pause"});
}

Words flags(const Case& one) {
  Words flags{"--nproc", std::to_string(one.nproc), "--shutdown-timeout",
              std::to_string(grace_of(one).count()) + "ms"};
  if (kills_at_once(one)) flags.back() = "10000";
  flags = flags + Words{"--linger-timeout", std::to_string(grace_of(one).count()) + "ms"};
  if (one.phase == Phase::backing_off) {
    flags = flags + Words{"--max-restarts", "9", "--backoff", "1h", "--max-backoff", "1h"};
  } else if (one.phase == Phase::between_generations) {
    flags = flags + Words{"--max-restarts", "1000000"} + kRestartAtOnce;
  }
  return flags;
}

}  // namespace

std::string to_string(const Case& one) {
  return std::string(name_of(one.phase)) + ", " + name_of(one.injection) +
         ", N=" + std::to_string(one.nproc);
}

bool at_terminal(Injection injection) {
  return injection == Injection::ctrl_c || injection == Injection::terminal_gone;
}

// The launcher's process that the injection stops.
int stop_signal(Injection injection) {
  switch (injection) {
    case Injection::term:
      return SIGTERM;
    case Injection::interrupt:
    case Injection::interrupt_twice:
    case Injection::interrupt_then_term:
    case Injection::ctrl_c:
      return SIGINT;
    case Injection::hangup:
    case Injection::terminal_gone:
      return SIGHUP;
    case Injection::quit:
      return SIGQUIT;
    default:
      return 0;
  }
}

std::set<int> expected_codes(const Case& one) {
  if (one.injection == Injection::keeper_killed || one.injection == Injection::parent_killed)
    return {kNoCode};
  if (one.injection == Injection::supervisor_killed) return {70};
  // The first failure stays the cause, whatever happens during its teardown.
  if (one.phase == Phase::tearing_down) return {3};
  std::set<int> codes{128 + stop_signal(one.injection)};
  // Either may be received first.
  if (one.injection == Injection::interrupt_then_term) codes.insert(128 + SIGTERM);
  if (one.phase == Phase::between_generations) codes.insert(3);
  switch (one.injection) {
    case Injection::exit_0:
      return {0};
    case Injection::exit_3:
      return {3};
    case Injection::rank_killed:
      return {128 + SIGKILL};
    case Injection::rank_segv:
      return {128 + SIGSEGV};
    default:
      return codes;
  }
}

std::chrono::milliseconds grace_of(const Case& one) {
  return one.phase == Phase::between_generations ? std::chrono::milliseconds(0) : kGrace;
}

Start start_of(const Case& one, const Scene& scene) {
  Start start = scene.start(flags(one), program(one, scene));
  start.env["NO_COLOR"] = "1";
  if (at_terminal(one.injection)) start.stdio = Stdio::terminal;
  if (one.injection == Injection::parent_killed) {
    const Words command(start.argv.begin() + 1, start.argv.end());
    start.argv = helper(Words{"fork", "[", "exec", start.argv.front(), "["} + command +
                        Words{"]", "]", "pause"});
  }
  return start;
}

}  // namespace ddp::test
