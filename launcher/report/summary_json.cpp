#include "launcher/report/summary_json.hpp"

#include "launcher/events/event_log.hpp"
#include "launcher/events/failure_event.hpp"
#include "launcher/events/goodput_event.hpp"

#include <utility>

namespace ddp {
namespace {

using Fields = std::vector<EventLog::Field>;

Fields fields_of(const LaunchFacts& launch, int exit_code, core::Nanoseconds duration) {
  return {{"v", std::int64_t{kEventVersion}},
          {"run_id", launch.run_id},
          {"exit_code", std::int64_t{exit_code}},
          {"duration_ns", std::int64_t{duration.count()}},
          {"nproc", std::int64_t{launch.ranks.nproc}}};
}

// Adds a last member to an object: an array of values that are JSON already.
void add_array(std::string& object, std::string_view name, const std::vector<std::string>& values) {
  object.back() = ',';
  object += '"';
  object += name;
  object += "\":[";
  for (std::size_t i = 0; i < values.size(); ++i) object += (i > 0 ? "," : "") + values[i];
  object += "]}";
}

}  // namespace

std::string summary_json(const RunSummary& summary) {
  const auto& record = summary.record;
  Fields fields = fields_of(summary.launch, summary.exit_code, summary.duration);
  fields.push_back({"restarts", std::int64_t{record.restarts()}});
  if (!summary.cause.empty()) fields.push_back({"cause", std::string(summary.cause)});
  if (summary.goodput) add_goodput(fields, *summary.goodput);
  std::string text = json_object(fields);
  std::vector<std::string> failures;
  for (const auto& incident : record.incidents())
    failures.push_back(json_object(failure_fields(incident, record.first_rank())));
  add_array(text, "failures", failures);
  std::vector<std::string> checks;
  for (const auto& check : summary.checks)
    checks.push_back(json_object(Fields{{"name", check.name},
                                        {"expected", check.expected},
                                        {"measured", check.measured},
                                        {"met", check.met}}));
  add_array(text, "expectations", checks);
  return text;
}

std::string summary_json_without_record(const LaunchFacts& launch, int exit_code,
                                        core::Nanoseconds duration) {
  Fields fields = fields_of(launch, exit_code, duration);
  fields.push_back({"cause", std::string("supervisor lost")});
  return json_object(fields);
}

std::string summary_json(const CampaignSummary& summary) {
  std::string text = json_object(Fields{{"v", std::int64_t{kEventVersion}},
                                        {"run_id", summary.run_id},
                                        {"exit_code", std::int64_t{summary.exit_code}},
                                        {"duration_ns", std::int64_t{summary.duration.count()}},
                                        {"plans", static_cast<std::int64_t>(summary.plans)}});
  std::vector<std::string> runs;
  for (const auto& run : summary.runs)
    runs.push_back(json_object(Fields{{"name", run.name},
                                      {"outcome", run.outcome},
                                      {"duration_ns", std::int64_t{run.duration.count()}}}));
  add_array(text, "runs", runs);
  return text;
}

}  // namespace ddp
