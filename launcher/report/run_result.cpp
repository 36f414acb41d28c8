#include "launcher/report/run_result.hpp"

#include "launcher/core/exit_code.hpp"
#include "launcher/report/diagnosis_message.hpp"
#include "launcher/report/failure_table.hpp"
#include "launcher/report/junit.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace ddp {
namespace {

// The exception and the diagnosis of the last failure explain an exit code.
void explain(JUnitCase& one, const core::RunRecord& record) {
  const auto* failed = record.last_failure();
  if (failed == nullptr) return;
  if (failed->exception && failed->rank) {
    *one.failure += fmt::format("; rank {}: {}", *failed->rank, failed->exception->text);
    for (const auto& line : failed->exception->traceback) one.details += line + "\n";
  }
  if (!failed->diagnosis) return;
  const auto lines = diagnosis_lines(*failed->diagnosis, record.first_rank());
  *one.failure += "; " + lines.front();
  for (const auto& line : lines) one.details += line + "\n";
}

JUnitSuite suite_of(const std::string& name, const std::vector<core::Check>& checks,
                    const core::RunRecord& record) {
  JUnitSuite suite;
  suite.name = name;
  for (const auto& check : checks) {
    JUnitCase one{.name = check.name};
    if (!check.met) {
      one.failure = "expected " + check.expected + ", measured " + check.measured;
      if (check.name == "exit") explain(one, record);
    }
    suite.cases.push_back(std::move(one));
  }
  return suite;
}

}  // namespace

RunResult evaluate(const LaunchFacts& launch, const core::FaultPlan& plan,
                   const core::RunRecord& record, EventLog& events, core::TimePoint began,
                   core::TimePoint now) {
  const auto& expect = plan.expect;
  const auto checks = core::evaluate(expect.value_or(core::exit_0_alone()), record);
  RunResult result{failure_table(record, expect.has_value()), record.exit_code()};
  if (expect) {
    for (const auto& check : checks) {
      events.write(now, kExpectationEvent,
                   {{"name", check.name},
                    {"expected", check.expected},
                    {"measured", check.measured},
                    {"met", check.met}});
    }
    const bool all_met =
        std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.met; });
    result.exit_code = all_met ? core::kSuccess : core::kExpectationFailed;
    result.text += checks_text(checks);
    result.checks = checks;
  }
  if (!launch.options.junit.empty()) {
    auto suite = suite_of(plan.name.empty() ? launch.run_id : plan.name, checks, record);
    suite.duration = now - began;
    suite.output = result.text;
    const std::string failure = write_junit(launch.options.junit, {suite});
    if (!failure.empty()) {
      result.text += "ddp-launch: " + failure + "\n";
      if (result.exit_code == core::kSuccess) result.exit_code = core::kSystemRefused;
    }
  }
  return result;
}

}  // namespace ddp
