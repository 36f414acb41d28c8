// What became of one plan of a campaign, as values.
#pragma once

#include "launcher/core/record/fault_plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::campaign {

// One failure of the group, as the run itself measured it (core::Incident).
struct FailureFigures {
  std::optional<core::Nanoseconds> detected;
  std::optional<core::Nanoseconds> down;
  std::optional<core::Nanoseconds> recovered;  // the next generation's first step
};

// What a run told of itself.
struct RunEvents {
  std::vector<core::Check> checks;  // empty: it had nothing to expect, or did not live to judge
  std::vector<FailureFigures> failures;
  std::string lost;  // which part of its output or events could not be kept, and why; empty: none
};

// From a run's events (kForCampaign). A line that was cut short and events that are not known are
// passed over.
RunEvents read_events(std::string_view text);

struct PlanResult {
  std::string name;
  core::Nanoseconds duration{};
  std::vector<core::Check> checks;  // never empty
  std::vector<FailureFigures> failures;
  std::vector<std::string> tail;  // the last lines of the run's output
  bool stopped = false;           // by who stopped the campaign: its checks say little

  bool met() const;
};

// How the process of a run ended.
struct RunEnd {
  std::optional<core::ExitStatus> status;  // none: it could not be started
  std::string not_started;                 // then why
  bool timed_out = false;
  std::int64_t processes_left = 0;  // when the run had ended of itself
};

// The checks of a plan: those that the run made, unless it was stopped for its time, and what only
// the campaign sees. Where the run made none, because there was nothing to expect or because nobody
// was left to judge, its exit code is held against the plan's (0 without one).
std::vector<core::Check> evaluate(const core::FaultPlan& plan, const RunEnd& end,
                                  const RunEvents& events);

// Whether the system let the campaign down rather than the program its plan: a part of what the run
// showed or wrote is lost, or ddp-launch could not start it.
bool system_refused(const core::FaultPlan& plan, const RunEnd& end, const RunEvents& events);

}  // namespace ddp::campaign
