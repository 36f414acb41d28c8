#include "launcher/report/failure_table.hpp"

#include "common/duration_text.hpp"
#include "launcher/base/table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace ddp {
namespace {

constexpr std::size_t kColumns = 9;
using Row = std::vector<std::string>;

constexpr std::size_t kMostRows = 20;  // a run of 200 kills needs no page of them
constexpr std::size_t kMostUntriggered = 8;

// The fault as typed, without rank and step: the table has columns for those.
std::string fault_name(const core::Injection& injection) {
  fault::Spec what;
  what.kind = injection.kind;
  what.value = injection.value;
  const std::string text = fault::format(what);
  return text.substr(0, text.find('@'));
}

std::string optional(const std::optional<core::Nanoseconds>& duration) {
  return duration ? short_duration(*duration) : "-";
}

template <class T>
std::string optional(const std::optional<T>& number) {
  return number ? std::to_string(*number) : "-";
}

Row row_of(const core::Incident& incident, core::GlobalRank first_rank) {
  Row row(kColumns);
  row[0] = std::to_string(incident.generation);
  row[2] = optional(incident.rank);
  row[3] = optional(incident.step);
  if (incident.fault) {
    const auto& injection = incident.fault->injection;
    const auto injected = injection.local_rank
                              ? std::optional(global_rank(first_rank, *injection.local_rank).value)
                              : std::nullopt;
    row[1] = "injected " + fault_name(injection);
    if (!incident.rank) {
      row[2] = optional(injected);
    } else if (injected && injected != incident.rank) {
      row[1] += fmt::format(" at rank {}", *injected);
    }
    if (injection.step && optional(injected) == row[2]) row[3] = std::to_string(*injection.step);
  } else {
    row[1] = core::cause_name(incident.cause);
  }
  row[4] = optional(incident.detected);
  row[5] = optional(incident.down);
  row[6] = optional(incident.next_exec);
  row[7] = optional(incident.first_step);
  row[8] = optional(incident.repeated);
  return row;
}

std::string harmless_text(const core::RunRecord& record) {
  const auto harmless = record.harmless();
  std::string text;
  for (const auto& [injection, at, refused, over] : harmless.first) {
    std::string where = fmt::format("attempt {}", injection.generation);
    if (injection.local_rank)
      where += fmt::format(", rank {}",
                           to_string(global_rank(record.first_rank(), *injection.local_rank)));
    if (injection.step) where += fmt::format(", step {}", *injection.step);
    if (refused.empty()) {
      text += fmt::format("ddp-launch: injected {} ({}); no failure followed\n",
                          fault_name(injection), where);
    } else {
      text += fmt::format("ddp-launch: could not inject {} ({}): {}\n", fault_name(injection),
                          where, refused);
    }
  }
  if (harmless.more > 0)
    text += fmt::format("ddp-launch: and {} more injected faults; no failure followed\n",
                        harmless.more);
  return text;
}

std::string untriggered_text(const std::vector<core::FaultTally>& planned) {
  std::string text;
  std::size_t untriggered = 0;
  for (const auto& [spec, injected, refused, unread] : planned) {
    if (injected > 0 || refused > 0 || ++untriggered > kMostUntriggered) continue;
    const char* why = "";
    if (fault::info(spec.kind).side == fault::Side::worker) {
      why = ": the worker must inject it";
    } else if (unread) {
      why = ": ddp-launch does not read output that --redirects sends to files";
    }
    text += fmt::format("ddp-launch: {} was never triggered{}\n", fault::format(spec), why);
  }
  if (untriggered > kMostUntriggered)
    text += fmt::format("ddp-launch: and {} more faults were never triggered\n",
                        untriggered - kMostUntriggered);
  return text;
}

// Without the columns that no row fills.
void leave_out_empty(std::vector<Row>& rows, std::vector<Align>& columns) {
  for (std::size_t i = columns.size(); i-- > 0;) {
    const bool filled =
        std::any_of(rows.begin() + 1, rows.end(), [&](const Row& row) { return row[i] != "-"; });
    if (filled) continue;
    const auto at = static_cast<std::ptrdiff_t>(i);
    columns.erase(columns.begin() + at);
    for (auto& row : rows) row.erase(row.begin() + at);
  }
}

// Of one plain failure the failure report says everything.
bool worth_a_table(const core::RunRecord& record, bool planned) {
  const auto& all = record.incidents();
  return planned || !record.planned().empty() || record.restarts() > 0 ||
         !record.harmless().first.empty() ||
         std::any_of(all.begin(), all.end(),
                     [](const core::Incident& incident) { return incident.fault.has_value(); });
}

}  // namespace

std::string failure_table(const core::RunRecord& record, bool planned) {
  if (record.is_lost()) return {};
  std::string text;
  const auto& all = record.incidents();
  // If no worker ever ran (a missing program, say) there is nothing to measure.
  const bool measured = record.ever_started() || !record.harmless().first.empty() ||
                        std::any_of(all.begin(), all.end(), [](const core::Incident& incident) {
                          return incident.fault.has_value();
                        });
  if (!measured) return untriggered_text(record.planned());
  if (!all.empty() && worth_a_table(record, planned)) {
    std::vector<Row> rows{{"attempt", "failure", "rank", "step", "detected", "down", "next exec",
                           "first step", "repeated"}};
    for (const auto& incident : all) {
      if (rows.size() > kMostRows) break;
      rows.push_back(row_of(incident, record.first_rank()));
    }
    text += "ddp-launch: failures (times since detection)\n";
    std::vector<Align> columns(kColumns, Align::right);
    columns[1] = Align::left;  // the failure, in words
    const auto shown = static_cast<std::int64_t>(rows.size() - 1);
    leave_out_empty(rows, columns);
    for (const auto& line : aligned_rows(rows, columns)) text += "  " + line + "\n";
    const auto more = record.summary().count - shown;
    if (more > 0) text += fmt::format("  and {} more\n", more);
  }
  return text + harmless_text(record) + untriggered_text(record.planned());
}

std::string checks_text(const std::vector<core::Check>& checks) {
  std::string text;
  for (const auto& check : checks) {
    text +=
        fmt::format("ddp-launch: {} {}: expected {}, measured {}\n",
                    check.met ? "met    " : "NOT MET", check.name, check.expected, check.measured);
  }
  return text;
}

}  // namespace ddp
