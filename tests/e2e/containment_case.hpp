// A launch in one phase of its life, and what is done to it in that phase.
//
// Its workers are of the kind that leaks: each has a data loader that left its session and ignores
// SIGTERM and SIGINT, and (up to four ranks) a daemon that forked twice; both hold the worker's
// pipes. Rank 0 listens at the master port, rank 1 ignores both, rank 2 has stopped itself, rank 3
// has closed its pipes.
#pragma once

#include "tests/e2e/launch.hpp"

#include <chrono>
#include <set>
#include <string>

namespace ddp::test {

enum class Phase { spawning, running, tearing_down, backing_off, between_generations };

enum class Injection {
  exit_0,       // every rank leaves with 0; what they started stays
  exit_3,       // rank 0 leaves with 3
  rank_killed,  // rank 0 (while tearing down, rank 2) by SIGKILL
  rank_segv,    // the same by SIGSEGV
  term,         // to the launcher, as are the next
  interrupt,
  interrupt_twice,      // the second after the first was received
  interrupt_then_term,  // at once: nothing shows that the first was received
  hangup,
  quit,
  keeper_killed,      // SIGKILL to the process the user sees
  supervisor_killed,  // SIGKILL to the one below it
  ctrl_c,             // at a terminal
  terminal_gone,      // the terminal hangs up
  parent_killed,      // the launcher's parent
};

struct Case {
  Phase phase;
  Injection injection;
  int nproc;
};
std::string to_string(const Case& one);

bool at_terminal(Injection injection);
// The launcher's process that the injection stops; 0: none.
int stop_signal(Injection injection);

// Exit codes that the launcher may have; kNoCode if no process is left to see one.
inline constexpr int kNoCode = -1;
std::set<int> expected_codes(const Case& one);

// From SIGTERM to SIGKILL.
std::chrono::milliseconds grace_of(const Case& one);

// How the launch is started. Rank 0 exits with 3 (or every rank with 0, for exit_0) once the
// scene's file "go" exists. Rank 1 of a launch that is hit while spawning stops the
// supervisor first thing.
Start start_of(const Case& one, const Scene& scene);

}  // namespace ddp::test
