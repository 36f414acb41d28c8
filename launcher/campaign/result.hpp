// The result of one plan of a campaign.
#pragma once

#include "launcher/core/record/fault_plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::campaign {

// One failure of the group, as the run measured it (core::Incident).
struct FailureFigures {
  std::optional<core::Nanoseconds> detected;
  std::optional<core::Nanoseconds> down;
  std::optional<core::Nanoseconds> recovered;  // the next attempt's first step
};

// What a run reported.
struct RunEvents {
  std::vector<core::Check> checks;  // empty: no expectations, or killed before it checked them
  std::vector<FailureFigures> failures;
  std::string lost;  // which part of its output or events is lost, and why; empty: none
};

// Reads a run's events (kForCampaign). Skips incomplete lines and unknown events.
RunEvents read_events(std::string_view text);

struct PlanResult {
  std::string name;
  core::Nanoseconds duration{};
  std::vector<core::Check> checks;  // never empty
  std::vector<FailureFigures> failures;
  std::vector<std::string> tail;  // the last lines of the run's output
  bool stopped = false;           // the campaign was stopped during it: its checks mean little

  // Whether every check is met and the run was not stopped.
  bool met() const;
};

// How the process of a run ended.
struct RunEnd {
  std::optional<core::ExitStatus> status;  // nullopt: it could not be started
  std::string not_started;                 // then: why
  bool timed_out = false;
  std::int64_t processes_left = 0;  // alive after the run exited by itself
};

// The checks of a plan: those that the run made, unless it exceeded its timeout, and those that
// only the campaign can make. If the run made none (no expectations, or its launcher was killed),
// its exit code is compared with the plan's (0 without one).
std::vector<core::Check> evaluate(const core::FaultPlan& plan, const RunEnd& end,
                                  const RunEvents& events);

// Whether the system failed the run, rather than the program its plan: a part of the run's output
// or events is lost, or ddp-launch could not start it.
bool system_refused(const core::FaultPlan& plan, const RunEnd& end, const RunEvents& events);

}  // namespace ddp::campaign
