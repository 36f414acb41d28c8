// The result of a run: the table of its failures, its expectations, both as JUnit XML, and the exit
// code.
#pragma once

#include "launcher/core/record/expectations.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/report/options.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace ddp {

struct RunResult {
  std::string text;  // lines for the user, each ending in a newline; empty: nothing to say
  // With expectations 0 or 73; without them that of the run.
  int exit_code = 0;
  std::vector<core::Check> checks = {};  // of the plan's expectations; none without
};

// Writes an "expectation" event for each check, and the JUnit file if one is wanted.
RunResult evaluate(const LaunchFacts& launch, const core::FaultPlan& plan,
                   const core::RunRecord& record, EventLog& events, core::TimePoint began,
                   core::TimePoint now);

}  // namespace ddp
