// Fault plans as TOML files (docs/faults.md, "Plans").
#pragma once

#include "common/result.hpp"
#include "launcher/core/record/fault_plan.hpp"

#include <string>
#include <string_view>

namespace ddp {

// The error names the file, the line and the column, what is wrong and what is allowed. With
// `world_size` > 0 ranks are checked against it.
Result<core::FaultPlan> read_fault_plan(const std::string& path, int world_size);

// A plan's file, whole; the error is the reason alone.
Result<std::string> read_plan_text(const std::string& path);

// A plan from text; `path` is what errors call it, and its stem the plan's name if it has none.
Result<core::FaultPlan> parse_fault_plan(std::string_view text, const std::string& path,
                                         int world_size);

}  // namespace ddp
