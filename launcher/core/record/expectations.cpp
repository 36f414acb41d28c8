#include "launcher/core/record/expectations.hpp"

#include "common/duration_text.hpp"
#include "launcher/core/faults/traits.hpp"

#include <algorithm>

namespace ddp::core {
namespace {

std::string plural(std::int64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string limit_text(Nanoseconds limit) { return exact_duration(limit); }
std::string limit_text(std::int64_t steps) { return plural(steps, "step"); }

// With as many digits as it takes to show on which side of the limit it is.
std::string measured_text(Nanoseconds measured, Nanoseconds limit) {
  int more = 0;
  while (measured != limit && short_duration(measured, more) == short_duration(limit, more)) ++more;
  return short_duration(measured, more);
}
std::string measured_text(std::int64_t steps, std::int64_t) { return plural(steps, "step"); }

template <class T>
Check at_most(const char* name, T limit, const IncidentSummary& all, const Worst<T>& worst,
              const char* missing) {
  Check check{name, "at most " + limit_text(limit), {}, false};
  if (all.count == 0) {
    check.measured = "no failure";
  } else if (!worst.complete) {
    check.measured = missing;
  } else {
    check.measured = measured_text(*worst.value, limit);
    check.met = *worst.value <= limit;
  }
  return check;
}

std::string text_of(const RootCause& cause) {
  std::string text = cause.rank ? "rank " + std::to_string(*cause.rank) : "any rank";
  return cause.by.empty() ? text : text + " by " + cause.by;
}

Check root_cause(std::size_t index, const RootCause& expected, const std::vector<Incident>& all) {
  Check check{"root_cause", text_of(expected), "no failure", false};
  if (index > 0) check.name += " " + std::to_string(index + 1);
  if (index >= all.size()) return check;
  const RootCause seen{all[index].rank, cause_name(all[index].cause)};
  check.measured = text_of(seen);
  check.met = (!expected.rank || expected.rank == seen.rank) &&
              (expected.by.empty() || expected.by == seen.by);
  return check;
}

// None where no fault has to be triggered. Of a record that was lost: the fault that ended it was
// triggered.
std::optional<Check> all_faults_triggered(const std::vector<FaultTally>& planned, bool lost) {
  Check check{"all_faults_triggered", "true", {}, true};
  bool any = false;
  for (const auto& [spec, injected, refused, unread] : planned) {
    if (spec.mtbf || (lost && traits(spec.kind).loses_record)) continue;
    any = true;
    if (injected > 0 || !check.met) continue;
    check.met = false;
    check.measured = fault::format(spec) + (refused > 0 ? " was refused" : " was never triggered");
  }
  if (check.met) check.measured = "true";
  return any ? std::optional(check) : std::nullopt;
}

// The checks that need no record.
bool survives_loss(const std::string& name) { return name == "exit" || name == "no_process_left"; }

}  // namespace

std::vector<Check> evaluate(const Expectations& expect, const RunRecord& record) {
  std::vector<Check> checks;
  const IncidentSummary all = record.summary();
  const auto count = [](const char* name, const std::string& expected, int measured, bool met) {
    return Check{name, expected, std::to_string(measured), met};
  };
  checks.push_back(count("exit", std::to_string(expect.exit), record.exit_code(),
                         record.exit_code() == expect.exit));
  if (expect.restarts) {
    checks.push_back(count("restarts", std::to_string(*expect.restarts), record.restarts(),
                           record.restarts() == *expect.restarts));
  }
  if (expect.restarts_at_most) {
    checks.push_back(count("restarts_at_most",
                           "at most " + std::to_string(*expect.restarts_at_most), record.restarts(),
                           record.restarts() <= *expect.restarts_at_most));
  }
  if (expect.detected_within) {
    checks.push_back(at_most("detected_within", *expect.detected_within, all, all.detected,
                             "a failure that was not injected"));
  }
  if (expect.torn_down_within) {
    checks.push_back(
        at_most("torn_down_within", *expect.torn_down_within, all, all.down, "never torn down"));
  }
  if (expect.recovered_within) {
    checks.push_back(at_most("recovered_within", *expect.recovered_within, all, all.first_step,
                             "no step after the failure"));
  }
  if (expect.lost_steps_at_most) {
    checks.push_back(at_most("lost_steps_at_most", *expect.lost_steps_at_most, all, all.repeated,
                             "no steps to compare"));
  }
  for (std::size_t i = 0; i < expect.root_causes.size(); ++i)
    checks.push_back(root_cause(i, expect.root_causes[i], record.incidents()));
  if (expect.all_faults_triggered) {
    if (auto check = all_faults_triggered(record.planned(), record.is_lost()))
      checks.push_back(std::move(*check));
  }
  if (expect.no_process_left) {
    const std::int64_t left = record.processes_left();
    checks.push_back({"no_process_left", "none",
                      left == 0   ? "none"
                      : left == 1 ? "1 process"
                                  : std::to_string(left) + " processes",
                      left == 0});
  }
  if (!expect.checkpoint_digest.empty()) {
    checks.push_back({"checkpoint_digest", expect.checkpoint_digest,
                      record.digest().empty() ? "no digest reported" : record.digest(),
                      record.digest() == expect.checkpoint_digest});
  }
  if (record.is_lost()) {
    for (auto& check : checks) {
      if (survives_loss(check.name)) continue;
      check.measured = "unknown: the record was lost with the supervisor";
      check.met = false;
    }
  }
  return checks;
}

}  // namespace ddp::core
