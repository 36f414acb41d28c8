// The "failure" event of events.jsonl: one for each failure of the group, written when what became
// of it is known, which is when the next generation or the run has ended.
#pragma once

#include "launcher/core/record/run_record.hpp"
#include "launcher/events/event_log.hpp"

namespace ddp {

void write_failure(EventLog& events, const core::Incident& incident);

}  // namespace ddp
