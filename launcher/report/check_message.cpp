#include "launcher/report/check_message.hpp"

#include "common/signal_name.hpp"
#include "launcher/report/failure_message.hpp"
#include "launcher/report/plain_text.hpp"

#include <fmt/core.h>

namespace ddp {

using core::CheckOutcome;

std::string check_outcome(const core::CheckEnd& end) {
  if (!end.status) return end.not_started.empty() ? "stopped" : "refuse";
  switch (core::outcome_of(*end.status)) {
    case CheckOutcome::pass:
      return "pass";
    case CheckOutcome::warn:
      return "warn";
    case CheckOutcome::retry:
      return "retry";
    case CheckOutcome::refuse:
      break;
  }
  return "refuse";
}

std::string check_end(const core::CheckEnd& end) {
  return end.status ? status_text(*end.status) : end.not_started;
}

std::string check_text(const core::CheckEnd& end, core::GlobalRank first_rank) {
  const std::string outcome = check_outcome(end);
  if (outcome == "pass" || outcome == "stopped") return "";
  const std::string who = "ddp-launch: the check of rank " +
                          to_string(core::global_rank(first_rank, end.local_rank)) + " ";
  if (!end.not_started.empty()) return who + "could not be started: " + end.not_started + "\n";
  std::string text = who + check_end(end) +
                     (outcome == "warn"    ? ": a warning"
                      : outcome == "retry" ? ": it asks to be tried again"
                                           : ": it refuses the start") +
                     "\n";
  for (const auto& line : end.lines) text += "    " + plain_text(line) + "\n";
  return text;
}

std::string checks_stop_text(const core::ChecksStop& stop, core::GlobalRank first_rank) {
  using Why = core::ChecksStop::Why;
  const std::string ranks = ranks_text(stop.ranks, first_rank);
  std::string why;
  switch (stop.why) {
    case Why::refused:
      why = "the check of " + ranks + " did not pass";
      break;
    case Why::late:
      why = "the check of " + ranks + " took longer than --check-timeout";
      break;
    case Why::request:
      why = "stopped by " + signal_name(stop.signal) + " while the checks ran";
      break;
    case Why::out_of_time:
      why = "the time of the run (--timeout) was up while the checks ran";
      break;
    case Why::unkillable:
      why = "a process of a check could not be killed";
      break;
  }
  return fmt::format("ddp-launch: {}; attempt {} is not started\n", why, stop.generation);
}

}  // namespace ddp
