#include "launcher/campaign/report.hpp"

#include "common/duration_text.hpp"
#include "common/join.hpp"
#include "common/utf8.hpp"
#include "launcher/base/figures.hpp"
#include "launcher/base/table.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace ddp::campaign {
namespace {

const char* outcome(const PlanResult& result) {
  return result.stopped ? "STOPPED" : result.met() ? "met" : "NOT MET";
}

std::string difference(const core::Check& check) {
  return without_controls("expected " + check.expected + ", measured " + check.measured);
}

std::string not_met_text(const PlanResult& result) {
  std::string text;
  for (const auto& check : result.checks) {
    if (!check.met) append_item(text, check.name + ": " + difference(check), "; ");
  }
  return text;
}

std::string longest(const PlanResult& result,
                    std::optional<core::Nanoseconds> FailureFigures::*figure) {
  std::optional<core::Nanoseconds> most;
  for (const auto& failure : result.failures) {
    if (const auto& one = failure.*figure) most = std::max(most.value_or(*one), *one);
  }
  return most ? short_duration(*most) : "-";
}

std::string counted(std::size_t count, const char* what) {
  return fmt::format("{} {}", count, what);
}

}  // namespace

std::string progress_text(const PlanResult& result, std::size_t number, std::size_t count) {
  const auto digits = std::to_string(count).size();
  std::string text = fmt::format("{:>{}}/{}  {:<7}  {}  {}", number, digits, count, outcome(result),
                                 without_controls(result.name), short_duration(result.duration));
  if (result.met()) return text + "\n";
  if (!result.stopped) text += "  " + not_met_text(result);
  text += "\n";
  for (const auto& line : result.tail) text += "    | " + line + "\n";
  return text;
}

std::string status_text(const std::vector<PlanResult>& results, std::size_t planned,
                        const std::string& running, core::Nanoseconds age, int columns) {
  std::size_t met = 0;
  core::Nanoseconds spent{};
  for (const auto& result : results) {
    met += result.met();
    spent += result.duration;
  }
  const std::string front = fmt::format("plan {} of {}: ", results.size() + 1, planned);
  std::string back = "  " + clock_text(age);
  if (!results.empty()) back += "  " + counted(met, "met");
  if (met < results.size()) back += ", " + counted(results.size() - met, "NOT MET");
  if (!results.empty()) {
    // The rest takes as long as those before, on average.
    const auto each = spent / static_cast<std::int64_t>(results.size());
    const auto left = std::max(each - age, core::Nanoseconds::zero()) +
                      each * static_cast<std::int64_t>(planned - results.size() - 1);
    back += "  about " + clock_text(left) + " left";
  }
  const std::string name = without_controls(running);
  const auto room = static_cast<std::ptrdiff_t>(columns) - 1 - std::ssize(front) - std::ssize(back);
  if (room < 8) return (front + back).substr(0, static_cast<std::size_t>(std::max(columns - 1, 0)));
  return front + std::string(utf8_prefix(name, static_cast<std::size_t>(room))) + back;
}

std::string summary_table(const std::vector<PlanResult>& results, std::size_t planned) {
  std::vector<std::vector<std::string>> rows{
      {"", "plan", "duration", "failures", "detected", "down", "recovered"}};
  for (const auto& result : results) {
    rows.push_back(
        {outcome(result), without_controls(result.name), short_duration(result.duration),
         std::to_string(result.failures.size()), longest(result, &FailureFigures::detected),
         longest(result, &FailureFigures::down), longest(result, &FailureFigures::recovered)});
  }
  constexpr auto kWords = Align::left;
  constexpr auto kFigures = Align::right;
  const auto lines =
      aligned_rows(rows, {kWords, kWords, kFigures, kFigures, kFigures, kFigures, kFigures});
  std::string text = lines[0] + "\n";
  for (std::size_t i = 0; i < results.size(); ++i) {
    text += lines[i + 1];
    if (!results[i].met() && !results[i].stopped) text += "  " + not_met_text(results[i]);
    text += "\n";
  }
  const auto met = static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [](const auto& one) { return one.met(); }));
  const auto stopped = static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [](const auto& one) { return one.stopped; }));
  text += counted(planned, planned == 1 ? "plan: " : "plans: ") + counted(met, "met");
  if (const auto failed = results.size() - met - stopped; failed > 0)
    text += ", " + counted(failed, "NOT MET");
  if (stopped > 0) text += ", " + counted(stopped, "stopped");
  if (planned > results.size()) text += ", " + counted(planned - results.size(), "not run");
  return text + "\n";
}

std::vector<JUnitSuite> junit_suites(const std::vector<PlanResult>& results) {
  std::vector<JUnitSuite> suites;
  for (const auto& result : results) {
    JUnitSuite suite{.name = result.name, .duration = result.duration};
    if (result.stopped) {
      suite.cases.push_back({"not stopped", "the campaign was stopped"});
    } else {
      for (const auto& check : result.checks) {
        JUnitCase one{.name = check.name};
        if (!check.met) one.failure = difference(check);
        suite.cases.push_back(std::move(one));
      }
    }
    if (!result.met()) {
      for (const auto& line : result.tail) suite.output += line + "\n";
    }
    suites.push_back(std::move(suite));
  }
  return suites;
}

}  // namespace ddp::campaign
