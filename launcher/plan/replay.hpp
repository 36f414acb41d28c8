// From the event file of a former run back to the faults it was struck by.
#pragma once

#include "common/result.hpp"
#include "launcher/core/record/fault_plan.hpp"

#include <string>
#include <string_view>

namespace ddp {

// The faults of the "fault_injected" events of an events.jsonl, in their order, each as it struck:
// rank, generation and step or time named, nothing left to draw. The error names file and line; a
// last line that was cut short by a killed launcher is passed over. A file without any fault is an
// error: there is nothing to replay.
Result<core::FaultPlan> read_replay(const std::string& path, int world_size);
Result<core::FaultPlan> parse_replay(std::string_view text, const std::string& path,
                                     int world_size);

}  // namespace ddp
