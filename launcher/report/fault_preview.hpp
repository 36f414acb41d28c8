// The planned faults as --dry-run shows them, with the ranks and steps drawn at random.
#pragma once

#include "launcher/core/record/fault_plan.hpp"

#include <string>

namespace ddp {

// One line per fault and, below a fault with a random rank or step, its first occurrences: "rank 2
// at step 37". Empty without faults.
std::string faults_preview(const core::FaultPlan& plan, int world_size);

}  // namespace ddp
