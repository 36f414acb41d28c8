// What --dry-run tells of faults: the plan, and what chance has drawn for it.
#pragma once

#include "launcher/core/record/fault_plan.hpp"

#include <string>

namespace ddp {

// One line a fault, and below one that leaves something to chance its first occurrences: "rank 2 at
// step 37". Empty without faults.
std::string faults_preview(const core::FaultPlan& plan, int world_size);

}  // namespace ddp
