// Room: launcher/plan. Fault plans read from files, and former runs read for a replay.
// Includes: common, launcher/base, launcher/core/record, launcher/events. Included by:
// launcher/campaign, launcher/faults.
//
// Fault plans as TOML files (docs/faults.md, "Plans").
#pragma once

#include "common/result.hpp"
#include "launcher/core/record/fault_plan.hpp"

#include <string>
#include <string_view>

namespace ddp {

// Reads a plan. The error names the file, the line and the column, what is wrong and what is
// allowed. With `world_size` > 0, ranks are checked against it.
Result<core::FaultPlan> read_fault_plan(const std::string& path, int world_size);

// The text of a plan's file. The error is the reason alone.
Result<std::string> read_plan_text(const std::string& path);

// Reads a plan from text. Errors name `path`, and its stem is the plan's name unless it has one.
Result<core::FaultPlan> parse_fault_plan(std::string_view text, const std::string& path,
                                         int world_size);

}  // namespace ddp
