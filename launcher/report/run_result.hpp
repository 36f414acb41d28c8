// The result of a run: the table of its failures, its expectations, both as JUnit XML, and the exit
// code.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/events/event_log.hpp"

#include <chrono>
#include <string>

namespace ddp {

struct RunResult {
  std::string text;  // lines for the user, each ending in a newline; empty: nothing to say
  // With expectations 0 or 73; without them that of the run.
  int exit_code = 0;
};

// Writes an "expectation" event for each check, and the file options.junit if it is set.
RunResult evaluate(const Options& options, const core::RunRecord& record, EventLog& events,
                   std::chrono::nanoseconds duration);

}  // namespace ddp
