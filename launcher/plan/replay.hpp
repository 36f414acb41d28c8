// Turns the event file of an earlier run back into the faults that were injected in it.
#pragma once

#include "common/result.hpp"
#include "launcher/core/record/fault_plan.hpp"

#include <string>
#include <string_view>

namespace ddp {

// Reads the faults from the "fault_injected" events of an events.jsonl, in order, each as it was
// injected: with its rank, attempt and step or time, and nothing random. The error names file and
// line. A last line that a killed launcher left incomplete is skipped. A file without faults is an
// error.
Result<core::FaultPlan> read_replay(const std::string& path, int world_size);
Result<core::FaultPlan> parse_replay(std::string_view text, const std::string& path,
                                     int world_size);

}  // namespace ddp
