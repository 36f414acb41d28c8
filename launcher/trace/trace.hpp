// Room: launcher/trace. A run as a trace for Perfetto and chrome://tracing.
// Includes: common, launcher/base, launcher/history. Included by: no other.
//
// In the JSON of the "Trace Event Format": one object with traceEvents, times in microseconds since
// the run began. Process 0 is the group: a thread with its attempts and what happened between
// them, and the counters step, loss and step time. Process 1 has a thread for each rank, with an
// event for each of its lives and in it one for each activity.
#pragma once

#include "launcher/history/history.hpp"

#include <string>

namespace ddp::trace {

std::string json(const history::History& history);

// Writes the trace of the run in `events` (events.jsonl) to `output`, whole or not at all. Returns
// an empty string, or one line that names the path and the reason.
std::string write_trace(const std::string& events, const std::string& output);

}  // namespace ddp::trace
