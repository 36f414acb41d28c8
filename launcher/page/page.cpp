#include "launcher/page/page.hpp"

#include "launcher/page/assets.hpp"
#include "launcher/page/chart.hpp"
#include "launcher/page/html.hpp"
#include "launcher/page/picture.hpp"
#include "launcher/page/tables.hpp"
#include "launcher/page/verdict.hpp"

#include <array>
#include <bitset>

namespace ddp::page {
namespace {

void add_head(Html& html, const history::History& history, const std::string& nonce) {
  html << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
  html << "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; script-src 'nonce-";
  html.text(nonce) << "'\">";
  html << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
  html << "<meta name=\"color-scheme\" content=\"light dark\"><title>";
  html.text(history.run.run_id) << ": ";
  html.text(state_of(history)) << "</title>\n<style>\n";
  html.whole(kStyle) << "</style></head>\n<body>";
}

void add_legend(Html& html, const Chart& chart) {
  std::bitset<history::kActivities.size()> activities;
  for (const auto& attempt : chart.attempts)
    for (const auto& lane : attempt.lanes)
      for (const auto& one : lane.segments) activities.set(static_cast<std::size_t>(one.activity));
  std::array<bool, 4> marks{};
  for (const auto& mark : chart.marks) marks.at(static_cast<std::size_t>(mark.kind)) = true;
  html << "<ul class=\"legend\">";
  for (std::size_t i = 0; i < activities.size(); ++i) {
    if (!activities.test(i)) continue;
    html << "<li><i class=\"part-";
    html.text(history::kActivities.at(i).id) << "\"></i>";
    html.text(history::kActivities.at(i).what) << "</li>";
  }
  constexpr std::string_view kWhat[] = {"fault", "death", "straggler", "hang"};
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (!marks.at(i)) continue;
    html << "<li><svg viewBox=\"-6 -6 12 12\" aria-hidden=\"true\"><use href=\"#mark-";
    html.text(id_of(static_cast<MarkKind>(i)));
    if (static_cast<MarkKind>(i) == MarkKind::fault) {
      html << "\" y=\"4\"/></svg>";
    } else {
      html << "\"/></svg>";
    }
    html.text(kWhat[i]) << "</li>";
  }
  html << "</ul>";
}

void add_timeline(Html& html, const history::History& history, const Chart& chart) {
  if (history.generations.empty()) return;
  html << "<section aria-labelledby=\"timeline\"><div class=\"heading\">";
  html << "<h2 id=\"timeline\">Timeline</h2><div id=\"controls\" hidden></div></div><figure>";
  add_picture(html, chart);
  html << "<div id=\"view\" hidden></div>";
  add_legend(html, chart);
  if (chart.left_out > 0) {
    html << "<p class=\"quiet\">Oldest attempts that are not drawn: ";
    html.number(static_cast<std::int64_t>(chart.left_out)) << ".</p>";
  }
  html << "</figure></section>";
}

}  // namespace

std::string html(const history::History& history, const std::string& nonce) {
  const auto chart = chart_of(history);
  Html html;
  add_head(html, history, nonce);
  html.whole(kSymbols);
  html << "<header><p class=\"run\">Run <b>";
  html.text(history.run.run_id)
      << "</b></p><button id=\"theme\" type=\"button\" hidden></button></header>"
         "<main><section class=\"verdict ";
  html.text(state_of(history)) << "\">";
  add_verdict(html, history);
  html << "</section>";
  add_figures(html, history);
  if (history.goodput) add_goodput(html, *history.goodput);
  add_timeline(html, history, chart);
  add_failures(html, history);
  add_expectations(html, history);
  add_occurrences(html, history);
  add_last_lines(html, history);
  add_run(html, history);
  html << "</main>\n<script type=\"application/json\" id=\"data\">";
  html.whole(script_json(json_of(chart))) << "</script>\n<script nonce=\"";
  html.text(nonce) << "\">\n";
  html.whole(kScript) << "</script></body></html>\n";
  return html.take();
}

}  // namespace ddp::page
