// The "failure" event of events.jsonl: one for each failure of the group, written once its
// consequences are known, that is, when the next attempt or the run has ended.
#pragma once

#include "launcher/core/record/run_record.hpp"
#include "launcher/events/event_log.hpp"

#include <vector>

namespace ddp {

// What is known of a failure. `first_rank` is the global rank of local rank 0.
std::vector<EventLog::Field> failure_fields(const core::Incident& incident,
                                            core::GlobalRank first_rank);

void write_failure(EventLog& events, const core::Incident& incident, core::GlobalRank first_rank,
                   core::TimePoint now);

}  // namespace ddp
