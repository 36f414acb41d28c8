#include "launcher/core/group/transitions.hpp"

#include <algorithm>

namespace ddp::core {
namespace {

// A semicolon would end a line of the diagram.
constexpr Transition kTransitions[] = {
    {Phase::idle, Phase::checking, "the launch begins, with --check"},
    {Phase::idle, Phase::launching, "the launch begins"},
    {Phase::idle, Phase::finished, "stop request"},
    {Phase::checking, Phase::launching,
     "every check passed, or the devices are released, without --check"},
    {Phase::checking, Phase::finished, "a check refused, stop request, or end of the run's time"},
    {Phase::launching, Phase::running, "every worker is started"},
    {Phase::launching, Phase::examining, "hang"},
    {Phase::launching, Phase::tearing_down,
     "failure, worker that cannot be started, early exit, or stop or restart request"},
    {Phase::running, Phase::examining, "hang"},
    {Phase::running, Phase::tearing_down, "failure, early exit, or stop or restart request"},
    {Phase::running, Phase::lingering, "every worker exited 0"},
    {Phase::running, Phase::closing, "every worker exited 0, without a linger period"},
    {Phase::examining, Phase::tearing_down,
     "diagnostics collected, time limit, worker exit, or stop request"},
    {Phase::tearing_down, Phase::lingering, "every worker exited within the grace period"},
    {Phase::tearing_down, Phase::closing, "end of the grace period, or second stop request"},
    {Phase::lingering, Phase::closing,
     "nothing left running, end of the period, or second stop request"},
    {Phase::closing, Phase::checking, "restart at once, with --check or a wait for devices"},
    {Phase::closing, Phase::launching, "restart at once"},
    {Phase::closing, Phase::backing_off, "restart after a delay"},
    {Phase::closing, Phase::finished, "success, no restart, or stop request"},
    {Phase::backing_off, Phase::checking,
     "end of the delay or restart request, with --check or a wait for devices"},
    {Phase::backing_off, Phase::launching, "end of the delay, or restart request"},
    {Phase::backing_off, Phase::finished, "stop request, or end of the run's time"},
};

}  // namespace

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::idle:
      return "idle";
    case Phase::checking:
      return "checking";
    case Phase::launching:
      return "launching";
    case Phase::running:
      return "running";
    case Phase::examining:
      return "examining";
    case Phase::tearing_down:
      return "tearing down";
    case Phase::lingering:
      return "lingering";
    case Phase::closing:
      return "closing";
    case Phase::backing_off:
      return "backing off";
    case Phase::finished:
      return "finished";
  }
  return "?";
}

std::span<const Transition> transitions() { return kTransitions; }

bool is_transition(Phase from, Phase to) {
  return std::any_of(std::begin(kTransitions), std::end(kTransitions),
                     [&](const Transition& row) { return row.from == from && row.to == to; });
}

std::string transitions_markdown() {
  const auto state = [](Phase phase) {
    std::string name = name_of(phase);
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
  };
  std::string text = "```mermaid\nstateDiagram-v2\n  [*] --> " + state(Phase::idle) + "\n";
  for (const auto& [from, to, why] : kTransitions)
    text += "  " + state(from) + " --> " + state(to) + ": " + why + "\n";
  return text + "  " + state(Phase::finished) + " --> [*]\n```\n";
}

}  // namespace ddp::core
