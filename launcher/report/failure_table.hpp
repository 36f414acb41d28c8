// The table after a run with a failure, and the result of a plan's expectations. Pure.
#pragma once

#include "launcher/core/record/expectations.hpp"
#include "launcher/core/record/run_record.hpp"

#include <string>
#include <vector>

namespace ddp {

// One row per failure: the injected fault or the cause, rank and step, and how long until it was
// detected, the group was down, the first worker of the next attempt was started and its first step
// was done, and how many steps were repeated. Below it: injected faults that no failure followed,
// and planned faults that were never triggered. Columns that no row fills are left out.
//
// Without a fault it is empty if no worker ever started, and for one failure without a restart: the
// failure report says everything. `planned`: the run has expectations.
std::string failure_table(const core::RunRecord& record, bool planned = false);

// "met     exit: expected 0, measured 0" or "NOT MET …", one line per check.
std::string checks_text(const std::vector<core::Check>& checks);

}  // namespace ddp
