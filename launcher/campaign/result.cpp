#include "launcher/campaign/result.hpp"

#include "common/duration_text.hpp"
#include "common/join.hpp"
#include "common/signal_name.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/report/failure_message.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

namespace ddp::campaign {
namespace {

std::string text_in(const boost::json::object& event, const char* key) {
  const auto* value = event.if_contains(key);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(text->c_str(), text->size()) : std::string();
}

bool true_in(const boost::json::object& event, const char* key) {
  const auto* value = event.if_contains(key);
  const auto* flag = value != nullptr ? value->if_bool() : nullptr;
  return flag != nullptr && *flag;
}

std::optional<core::Nanoseconds> duration_in(const boost::json::object& event, const char* key) {
  const auto* value = event.if_contains(key);
  const auto* number = value != nullptr ? value->if_int64() : nullptr;
  if (number == nullptr) return std::nullopt;
  return core::Nanoseconds(*number);
}

// Then the exit status comes from the fault, and only the supervisor's checks count.
bool kills_keeper(const core::FaultPlan& plan) {
  return std::any_of(plan.faults.begin(), plan.faults.end(),
                     [](const auto& one) { return one.kind == fault::Kind::kill_keeper; });
}

std::vector<core::Check> checks_of(const core::FaultPlan& plan, const core::ExitStatus& status,
                                   std::vector<core::Check> checks) {
  const int code = core::exit_code_of(status);
  if (checks.empty()) {
    core::RunRecord seen;
    seen.finished(code, 0);
    for (auto& check : core::evaluate(plan.expect.value_or(core::exit_0_alone()), seen)) {
      if (check.name != "exit" && check.name != "no_process_left") {
        check.met = false;
        check.measured = "not measured: the run " + status_text(status) + " and reported no result";
      }
      checks.push_back(std::move(check));
    }
  } else if (code != core::kSuccess && code != core::kExpectationFailed && !kills_keeper(plan)) {
    checks.push_back({"ddp-launch", "exit code 0", "exit code " + std::to_string(code), false});
  }
  return checks;
}

}  // namespace

RunEvents read_events(std::string_view text) {
  RunEvents events;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end != std::string_view::npos ? end + 1 : text.size());
    boost::system::error_code failed;
    const auto value = boost::json::parse({line.data(), line.size()}, failed);
    const auto* event = failed ? nullptr : value.if_object();
    if (event == nullptr) continue;
    const std::string kind = text_in(*event, "event");
    if (kind == kExpectationEvent) {
      events.checks.push_back({text_in(*event, "name"), text_in(*event, "expected"),
                               text_in(*event, "measured"), true_in(*event, "met")});
    } else if (kind == kFailureEvent) {
      events.failures.push_back({duration_in(*event, "detected_ns"), duration_in(*event, "down_ns"),
                                 duration_in(*event, "first_step_ns")});
    } else if (kind == kLostEvent) {
      append_item(events.lost, text_in(*event, "what"), "; ");
    }
  }
  return events;
}

bool PlanResult::met() const {
  return !stopped &&
         std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.met; });
}

std::vector<core::Check> evaluate(const core::FaultPlan& plan, const RunEnd& end,
                                  const RunEvents& events) {
  if (!end.status) return {{"started", "ddp-launch started", end.not_started, false}};
  std::vector<core::Check> checks;
  // After a timeout the checks of the run only show the effect of the stop.
  if (!end.timed_out) checks = checks_of(plan, *end.status, events.checks);
  checks.push_back({"timeout", "exits within " + exact_duration(plan.launch.timeout),
                    end.timed_out ? "stopped by the campaign" : "exited", !end.timed_out});
  if (end.processes_left > 0) {
    checks.push_back({"nothing_left", "no process",
                      std::to_string(end.processes_left) + " when ddp-launch exited", false});
  }
  if (!events.lost.empty())
    checks.push_back({"kept", "the run's output and events", events.lost, false});
  return checks;
}

bool system_refused(const core::FaultPlan& plan, const RunEnd& end, const RunEvents& events) {
  if (!events.lost.empty()) return true;
  // With expectations, a run that could check them exits with 0 or 73.
  return plan.expect && events.checks.empty() && end.status &&
         core::exit_code_of(*end.status) == core::kSystemRefused;
}

}  // namespace ddp::campaign
