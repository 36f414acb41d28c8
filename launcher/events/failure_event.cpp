#include "launcher/events/failure_event.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

std::vector<EventLog::Field> failure_fields(const core::Incident& incident,
                                            core::GlobalRank first_rank) {
  std::vector<EventLog::Field> fields{{"gen", std::int64_t{incident.generation}},
                                      {"cause", core::cause_name(incident.cause)},
                                      {"injected", incident.fault.has_value()}};
  const auto add = [&](std::string_view name, const auto& value) {
    if (value) fields.push_back({name, std::int64_t{*value}});
  };
  const auto add_time = [&](std::string_view name, const std::optional<core::Nanoseconds>& time) {
    if (time) fields.push_back({name, std::int64_t{time->count()}});
  };
  if (incident.fault) fields.push_back({"fault", fault::format(incident.fault->injection.replay)});
  add("rank", incident.rank);
  add("step", incident.step);
  add_time("detected_ns", incident.detected);
  add_time("down_ns", incident.down);
  add_time("next_exec_ns", incident.next_exec);
  add_time("first_step_ns", incident.first_step);
  add("repeated", incident.repeated);
  if (const auto& exception = incident.exception) {
    fields.push_back({"exception", exception->text});
    std::string traceback;
    for (const auto& line : exception->traceback) traceback += line + "\n";
    if (!traceback.empty()) fields.push_back({"traceback", std::move(traceback)});
  }
  if (const auto& diagnosis = incident.diagnosis) {
    fields.push_back({"diagnosis", diagnosis->signature});
    fields.push_back({"diagnosis_cause", diagnosis->cause});
    fields.push_back({"remedy", diagnosis->remedy});
    if (!diagnosis->evidence.empty()) fields.push_back({"evidence", diagnosis->evidence});
    if (diagnosis->witness) {
      const auto rank = core::global_rank(first_rank, *diagnosis->witness).value;
      fields.push_back({"evidence_rank", std::int64_t{rank}});
    }
  }
  return fields;
}

void write_failure(EventLog& events, const core::Incident& incident, core::GlobalRank first_rank,
                   core::TimePoint now) {
  events.write(now, kFailureEvent, failure_fields(incident, first_rank));
}

}  // namespace ddp
