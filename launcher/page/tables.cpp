#include "launcher/page/tables.hpp"

#include "common/duration_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace ddp::page {
namespace {

constexpr std::size_t kMostLines = std::size_t{512} << 10;  // bytes of last lines

struct Column {
  std::string_view name;
  bool number = false;
};

// A wide table scrolls in its section, which the keyboard reaches.
void begin_table(Html& html, std::string_view title, std::initializer_list<Column> columns) {
  html << "<section><h2>";
  html.text(title) << "</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"";
  html.text(title) << "\"><table><thead><tr>";
  for (const auto& one : columns) {
    if (one.number) {
      html << "<th scope=\"col\" class=\"number\">";
    } else {
      html << "<th scope=\"col\">";
    }
    html.text(one.name) << "</th>";
  }
  html << "</tr></thead><tbody>";
}
void end_table(Html& html) { html << "</tbody></table></div></section>"; }

void cell(Html& html, std::string_view text) {
  html << "<td>";
  html.text(text) << "</td>";
}
void number_cell(Html& html, std::string_view text) {
  html << "<td class=\"number\">";
  html.text(text) << "</td>";
}
void number_cell(Html& html, std::optional<std::int64_t> number) {
  number_cell(html, number ? std::to_string(*number) : "");
}
void number_cell(Html& html, std::optional<core::Nanoseconds> time) {
  number_cell(html, time ? short_duration(*time) : "");
}

std::string rank_text(int rank) { return rank < 0 ? "" : std::to_string(rank); }

struct Occurrence {
  core::TimePoint at;
  std::int64_t generation;
  int rank;
  std::string what;
  std::string text;
};

std::vector<Occurrence> occurrences(const history::History& history) {
  std::vector<Occurrence> all;
  for (const auto& one : history.faults) {
    std::string text = one.text;
    if (!one.refused.empty()) text += ": refused, " + one.refused;
    if (one.undone) text += ", undone after " + short_duration(*one.undone - one.at);
    all.push_back({one.at, one.generation, one.rank, "fault", text});
  }
  for (const auto& one : history.hangs)
    all.push_back({one.at, one.generation, -1, "hang",
                   fmt::format("{}, limit {}{}{}", one.kind, exact_duration(one.limit),
                               one.behind.empty() ? "" : ", behind: ", one.behind)});
  for (const auto& one : history.stragglers)
    all.push_back(
        {one.at, one.generation, one.rank, "straggler",
         fmt::format("{} a step, the median is {}: {:.1f}x, over {} steps", short_duration(one.own),
                     short_duration(one.median), one.factor, one.steps)});
  for (const auto& one : history.notes)
    all.push_back({one.at, one.generation, one.rank, "note", one.text});
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return all;
}

}  // namespace

void add_failures(Html& html, const history::History& history) {
  if (history.failures.empty()) return;
  begin_table(html, "Failures",
              {{"attempt", true},
               {"failure"},
               {"rank", true},
               {"step", true},
               {"detected", true},
               {"down", true},
               {"next exec", true},
               {"first step", true},
               {"repeated", true}});
  for (const auto& one : history.failures) {
    html << "<tr>";
    number_cell(html, one.generation);
    html << "<td class=\"what\">";
    html.text(one.cause);
    if (!one.fault.empty()) {
      html << "<br><span class=\"quiet\">injected: ";
      html.text(one.fault) << "</span>";
    }
    if (!one.exception.empty()) {
      html << "<br><code>";
      html.text(one.exception) << "</code>";
    }
    if (!one.diagnosis_cause.empty()) {
      html << "<br>";
      html.text(one.diagnosis_cause);
    }
    if (!one.traceback.empty()) {
      html << "<details><summary>traceback</summary><pre>";
      html.text(one.traceback) << "</pre></details>";
    }
    html << "</td>";
    number_cell(html, rank_text(one.rank));
    number_cell(html, one.step);
    number_cell(html, one.detected);
    number_cell(html, one.down);
    number_cell(html, one.next_exec);
    number_cell(html, one.first_step);
    number_cell(html, one.repeated);
    html << "</tr>";
  }
  end_table(html);
  html
      << "<p class=\"quiet under\">Detected: since the fault. Down, next exec and first step: since"
         " the detection. Repeated: steps.</p>";
}

void add_expectations(Html& html, const history::History& history) {
  if (history.expectations.empty()) return;
  begin_table(html, "Expectations", {{"name"}, {"expected"}, {"measured"}, {"met"}});
  for (const auto& one : history.expectations) {
    html << "<tr>";
    cell(html, one.name);
    cell(html, one.expected);
    cell(html, one.measured);
    cell(html, one.met ? "yes" : "no");
    html << "</tr>";
  }
  end_table(html);
}

void add_occurrences(Html& html, const history::History& history) {
  const auto all = occurrences(history);
  if (all.empty()) return;
  begin_table(html, "Faults, hangs, stragglers and notes",
              {{"time", true}, {"attempt", true}, {"rank", true}, {"what"}, {"details"}});
  for (const auto& one : all) {
    html << "<tr>";
    number_cell(html, short_duration(one.at - history.began, 1));
    number_cell(html, one.generation);
    number_cell(html, rank_text(one.rank));
    cell(html, one.what);
    cell(html, one.text);
    html << "</tr>";
  }
  end_table(html);
}

void add_last_lines(Html& html, const history::History& history) {
  if (history.last_lines.empty()) return;
  html << "<section><h2>Last lines of the ranks</h2>";
  std::size_t bytes = 0;
  std::size_t left_out = 0;
  for (const auto& one : history.last_lines) {
    for (const auto& line : one.lines) bytes += line.size() + 1;
    if (bytes > kMostLines) {
      ++left_out;
      continue;
    }
    html << "<details><summary>rank ";
    html.number(one.rank) << ", attempt ";
    html.number(one.generation) << "</summary><pre>";
    for (const auto& line : one.lines) {
      html.text(line) << "\n";
    }
    html << "</pre></details>";
  }
  if (left_out > 0) {
    html << "<p class=\"quiet\">Left out, to keep the page small: ";
    html.number(static_cast<std::int64_t>(left_out)) << " ranks.</p>";
  }
  html << "</section>";
}

void add_run(Html& html, const history::History& history) {
  const auto& run = history.run;
  html << "<section><h2>How it was run</h2>";
  if (!run.command.empty()) {
    html << "<pre class=\"command\">";
    html.text(run.command) << "</pre>";
  }
  html << "<p class=\"quiet\">";
  if (!run.wall.empty()) {
    html << "Began <time>";
    html.text(run.wall.substr(0, 19)) << "</time> UTC";
  }
  if (!run.host.empty()) {
    html << " on ";
    html.text(run.host);
  }
  if (!run.version.empty()) {
    html << ", ddp-launch ";
    html.text(run.version);
  }
  html << ". ";
  html.number(static_cast<std::int64_t>(history.events)) << " events";
  if (history.unreadable > 0) {
    html << ", lines that could not be read: ";
    html.number(static_cast<std::int64_t>(history.unreadable));
  }
  if (history.dropped_generations > 0) {
    html << ", oldest attempts that are not shown: ";
    html.number(history.dropped_generations);
  }
  if (history.dropped > 0) {
    html << ", older entries of the tables that are not shown: ";
    html.number(static_cast<std::int64_t>(history.dropped));
  }
  html << ".</p></section>";
}

}  // namespace ddp::page
