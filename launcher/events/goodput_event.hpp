// A run's goodput as fields of the event "run_finished".
#pragma once

#include "launcher/core/progress/goodput.hpp"
#include "launcher/events/event_log.hpp"

#include <vector>

namespace ddp {

void add_goodput(std::vector<EventLog::Field>& fields, const core::Goodput& goodput);

}  // namespace ddp
