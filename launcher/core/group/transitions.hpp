// The phases of a worker group's life, and every change from one to another as a row of a table.
// docs/design.md shows the same table as a diagram, and a test compares the two.
#pragma once

#include <span>
#include <string>

namespace ddp::core {

enum class Phase {
  idle,
  checking,      // the user's own checks run (--check)
  launching,     // workers are started, one at a time
  running,       // every worker is started
  examining,     // the group hangs, and its diagnostics are collected
  tearing_down,  // the workers got the stop signal, and some are alive
  lingering,     // the workers have exited; what they left running may exit by itself
  closing,       // the supervisor kills what is left and releases what the attempt held
  backing_off,   // a restart is due later
  finished
};
const char* name_of(Phase phase);

struct Transition {
  Phase from;
  Phase to;
  const char* why;
};
// In the order of the phases, each pair once.
std::span<const Transition> transitions();
bool is_transition(Phase from, Phase to);

// The table as a Mermaid diagram in Markdown.
std::string transitions_markdown();

}  // namespace ddp::core
