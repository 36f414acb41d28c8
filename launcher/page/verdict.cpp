#include "launcher/page/verdict.hpp"

#include "common/duration_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

namespace ddp::page {
namespace {

void figure(Html& html, std::string_view name, const std::string& value) {
  html << "<div><dt>";
  html.text(name) << "</dt><dd>";
  html.text(value) << "</dd></div>";
}

// Of the last attempt that has any.
const history::ProgressPoint* last_point(const history::History& history) {
  for (auto one = history.generations.rbegin(); one != history.generations.rend(); ++one)
    if (!one->points.empty()) return &one->points.back();
  return nullptr;
}

void add_diagnosis(Html& html, const history::Failure& failure) {
  html << "<section class=\"diagnosis\" aria-label=\"Diagnosis\"><h2>Diagnosis: ";
  html.text(failure.diagnosis) << "</h2><p>";
  html.text(failure.diagnosis_cause) << "</p>";
  if (!failure.remedy.empty()) {
    html << "<p><b>What helps:</b> ";
    html.text(failure.remedy) << "</p>";
  }
  if (!failure.evidence.empty()) {
    html << "<pre>";
    html.text(failure.evidence) << "</pre>";
  }
  html << "</section>";
}

std::string headline(const history::History& history) {
  if (!history.finished) return "The run did not finish";
  const int code = history.exit_code.value_or(0);
  if (code == 0)
    return history.failures.empty() ? "The run succeeded" : "The run succeeded after failures";
  return fmt::format("The run failed with exit code {}", code);
}

}  // namespace

const char* state_of(const history::History& history) {
  if (!history.finished) return "unfinished";
  return history.exit_code.value_or(0) == 0 ? "succeeded" : "failed";
}

void add_verdict(Html& html, const history::History& history) {
  html << "<h1>";
  html.text(headline(history)) << "</h1>";
  if (!history.finished)
    html << "<p>ddp-launch was killed, or the run still went on when this page was made.</p>";
  const auto unmet = std::count_if(history.expectations.begin(), history.expectations.end(),
                                   [](const auto& one) { return !one.met; });
  if (unmet > 0) {
    html << "<p>Expectations that were not met: ";
    html.number(unmet) << " of ";
    html.number(std::ssize(history.expectations)) << ".</p>";
  }
  if (history.failures.empty()) return;
  const auto& last = history.failures.back();
  html << "<p>Last failure: <b>";
  if (last.rank >= 0) {
    html << "rank ";
    html.number(last.rank) << ", ";
  }
  html.text(last.cause) << "</b> in attempt ";
  html.number(last.generation);
  if (last.step) {
    html << " at step ";
    html.number(*last.step);
  }
  if (!last.fault.empty()) html << ", injected";
  html << ".</p>";
  if (!last.exception.empty()) {
    html << "<pre class=\"exception\">";
    html.text(last.exception) << "</pre>";
  }
  if (!last.diagnosis_cause.empty()) add_diagnosis(html, last);
}

void add_figures(Html& html, const history::History& history) {
  html << "<dl class=\"figures\">";
  figure(html, "Duration", duration_text(history.end - history.began));
  figure(html, "Ranks",
         std::to_string(history.run.nproc) +
             (history.run.nnodes > 1 ? fmt::format(" of {} machines", history.run.nnodes) : ""));
  figure(html, "Attempts",
         std::to_string(std::ssize(history.generations) + history.dropped_generations));
  if (const auto* last = last_point(history)) {
    figure(html, "Last step", std::to_string(last->step));
    if (last->loss && std::isfinite(*last->loss))
      figure(html, "Last loss", fmt::format("{:.4g}", *last->loss));
    if (last->loss && !std::isfinite(*last->loss)) figure(html, "Last loss", "not a finite number");
  }
  if (history.goodput)
    figure(html, "Goodput", fmt::format("{:.1f} %", 100 * history.goodput->ratio()));
  html << "</dl>";
}

void add_goodput(Html& html, const core::Goodput& goodput) {
  const auto total = static_cast<double>(std::max<std::int64_t>(goodput.total.count(), 1));
  const auto share = [&](core::Nanoseconds time) {
    return 100 * static_cast<double>(time.count()) / total;
  };
  html << "<section aria-labelledby=\"goodput\"><h2 id=\"goodput\">Goodput</h2>"
          "<div class=\"bar\" aria-hidden=\"true\">";
  for (const auto& part : core::kGoodputParts) {
    if ((goodput.*part.time).count() <= 0) continue;
    html << "<i class=\"part-";
    html.text(part.name.substr(0, part.name.find('_'))) << "\" style=\"flex-grow:";
    html.real(share(goodput.*part.time), 3) << "\"></i>";
  }
  html << "</div><ul class=\"parts\">";
  for (const auto& part : core::kGoodputParts) {
    if ((goodput.*part.time).count() <= 0) continue;
    html << "<li><i class=\"part-";
    html.text(part.name.substr(0, part.name.find('_'))) << "\"></i><span>";
    html.text(part.what) << "</span> <b>";
    html.text(fmt::format("{:.1f}", share(goodput.*part.time))) << " %</b> <span class=\"quiet\">";
    html.text(short_duration(goodput.*part.time)) << "</span></li>";
  }
  html << "</ul></section>";
}

}  // namespace ddp::page
