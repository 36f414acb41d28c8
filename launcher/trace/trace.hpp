// Room: launcher/trace. A run as a trace for Perfetto and chrome://tracing.
// Includes: common, launcher/history. Included by: launcher/ddpctl.
//
// In the JSON of the "Trace Event Format": one object with traceEvents, times in microseconds since
// the run began. Process 0 is the group: a thread with its attempts and what happened between
// them, and the counters step, loss and step time. Process 1 has a thread for each rank, with an
// event for each of its lives and in it one for each activity.
#pragma once

#include "common/result.hpp"
#include "launcher/history/history.hpp"

#include <string>

namespace ddp::trace {

std::string json(const history::History& history);

// The trace of the run in `events` (events.jsonl). The error is one line that names the path and
// the reason.
Result<std::string> of_events(const std::string& events);

}  // namespace ddp::trace
