// The short table after a run with a failure, and the words of a plan's verdict. Pure.
#pragma once

#include "launcher/core/record/expectations.hpp"
#include "launcher/core/record/run_record.hpp"

#include <string>
#include <vector>

namespace ddp {

// One row a failure: what it was (the injected fault, or the real cause), rank and step, and how
// long until it was detected, the group was down, the next generation's first worker was started
// and its first step was done, and how many steps were repeated. Below it the faults that struck
// and made nothing fail. Empty when there is neither, and where
// no worker was ever started.
std::string failure_table(const core::RunRecord& record);

// "expected exit: 0, as it was" or "NOT MET …", one line a check.
std::string checks_text(const std::vector<core::Check>& checks);

}  // namespace ddp
