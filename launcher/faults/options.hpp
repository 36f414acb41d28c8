// Which faults are planned.
#pragma once

#include "launcher/core/record/fault_plan.hpp"

namespace ddp {

struct FaultOptions {
  core::FaultPlan plan;  // of --inject, --faults or --replay; without faults: none
};

}  // namespace ddp
