#include "launcher/failure_table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace ddp {
namespace {

constexpr std::size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;

constexpr std::size_t kMostRows = 20;  // a run of 200 kills needs no page of them
constexpr std::size_t kMostHarmless = 8;

// What struck, as it would be typed, without whom and when: the table has columns for those.
std::string fault_name(const core::Strike& strike) {
  fault::Spec what;
  what.kind = strike.kind;
  what.value = strike.value;
  const std::string text = fault::format(what);
  return text.substr(0, text.find('@'));
}

std::string optional(const std::optional<core::Nanoseconds>& duration) {
  return duration ? core::short_duration(*duration) : "-";
}

template <class T>
std::string optional(const std::optional<T>& number) {
  return number ? std::to_string(*number) : "-";
}

Row row_of(const core::Incident& incident, const core::RunRecord& record) {
  Row row;
  row[0] = std::to_string(incident.generation);
  if (incident.fault) {
    const auto& strike = record.faults[*incident.fault].strike;
    row[1] = "injected " + fault_name(strike);
    row[2] = strike.local_rank ? std::to_string(record.first_rank + *strike.local_rank) : "-";
    row[3] = optional(strike.step ? strike.step : incident.step);
  } else {
    row[1] = "real: " + core::cause_name(incident.cause);
    row[2] = optional(incident.rank);
    row[3] = optional(incident.step);
  }
  row[4] = optional(incident.detected);
  row[5] = optional(incident.down);
  row[6] = optional(incident.next_exec);
  row[7] = optional(incident.first_step);
  row[8] = optional(incident.repeated);
  return row;
}

std::string harmless_text(const core::RunRecord& record, const std::vector<core::Incident>& all) {
  std::set<std::size_t> behind_failure;
  for (const auto& incident : all) {
    if (incident.fault) behind_failure.insert(*incident.fault);
  }
  std::string text;
  std::size_t told = 0;
  std::size_t told_refused = 0;
  std::int64_t untold = record.forgotten;
  for (std::size_t i = 0; i < record.faults.size(); ++i) {
    const auto& fault = record.faults[i];
    // What struck the launcher itself ended the run, which is no failure of the group.
    const auto side = fault::info(fault.strike.kind).side;
    if (behind_failure.count(i) != 0 || side == fault::Side::launcher) continue;
    auto& told_of_these = fault.refused.empty() ? told : told_refused;
    if (told_of_these == kMostHarmless) {
      ++untold;
      continue;
    }
    ++told_of_these;
    const auto& strike = fault.strike;
    std::string where = fmt::format("generation {}", strike.generation);
    if (strike.local_rank)
      where += fmt::format(", rank {}", record.first_rank + *strike.local_rank);
    if (strike.step) where += fmt::format(", step {}", *strike.step);
    if (fault.refused.empty()) {
      text += fmt::format("ddp-launch: injected {} ({}); nothing failed by it\n",
                          fault_name(strike), where);
    } else {
      text += fmt::format("ddp-launch: could not inject {} ({}): {}\n", fault_name(strike), where,
                          fault.refused);
    }
  }
  if (untold > 0)
    text += fmt::format("ddp-launch: and {} more strikes by which nothing failed\n", untold);
  return text;
}

}  // namespace

std::string failure_table(const core::RunRecord& record) {
  // A program that is missing, say: there is nothing to measure where nothing ever ran.
  const bool ran =
      std::any_of(record.generations.begin(), record.generations.end(),
                  [](const auto& generation) { return generation.first_started.has_value(); });
  if (!ran && record.faults.empty()) return {};
  const auto all = core::incidents(record);
  std::string text;
  if (!all.empty()) {
    std::vector<Row> rows{{"gen", "failure", "rank", "step", "detected", "down", "next exec",
                           "first step", "repeated"}};
    for (const auto& incident : all) {
      if (rows.size() > kMostRows) break;
      rows.push_back(row_of(incident, record));
    }
    std::array<std::size_t, kColumns> width{};
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < kColumns; ++i) width[i] = std::max(width[i], row[i].size());
    }
    text += "ddp-launch: failures, each time counted from when it was seen\n";
    for (const auto& row : rows) {
      std::string line = " ";
      for (std::size_t i = 0; i < kColumns; ++i) {
        // Words to the left, figures to the right.
        line += i == 1 ? fmt::format(" {:<{}}", row[i], width[i])
                       : fmt::format(" {:>{}}", row[i], width[i]);
        if (i + 1 < kColumns) line += " ";
      }
      text += line + "\n";
    }
    if (all.size() > kMostRows) text += fmt::format("  and {} more\n", all.size() - kMostRows);
  }
  return text + harmless_text(record, all);
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
