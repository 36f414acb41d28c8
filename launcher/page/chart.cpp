#include "launcher/page/chart.hpp"

#include "common/utf8.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace ddp::page {
namespace {

constexpr std::size_t kMostLanes = 16'384;  // of all attempts together
constexpr std::size_t kMostMarks = 4000;
constexpr std::size_t kMostCurvePoints = 2000;

std::vector<Attempt> attempts_of(const history::History& history, std::size_t& left_out) {
  const auto& all = history.generations;
  std::size_t first = all.size();
  for (std::size_t lanes = 0; first > 0; --first) {
    lanes += std::max<std::size_t>(all[first - 1].ranks.size(), 1);
    if (lanes > kMostLanes && first < all.size()) break;
  }
  left_out = first + static_cast<std::size_t>(history.dropped_generations);
  std::vector<Attempt> attempts;
  for (std::size_t i = first; i < all.size(); ++i) {
    const auto& one = all[i];
    Attempt attempt{
        .number = one.number, .began = one.began, .ended = one.ended.value_or(history.end)};
    attempt.outcome = !one.ended           ? "no end is recorded"
                      : one.exit_code == 0 ? "succeeded"
                      : one.root_cause < 0 ? "ended"
                                           : fmt::format("rank {} failed", one.root_cause);
    const auto repeated = repeated_from(history, i);
    for (const auto& rank : one.ranks)
      attempt.lanes.push_back({rank.rank, rank.pid, rank.spawned, exit_text(rank),
                               segments(one, rank, repeated, history.end)});
    attempts.push_back(std::move(attempt));
  }
  return attempts;
}

std::vector<Mark> marks_of(const history::History& history) {
  std::vector<Mark> marks;
  for (const auto& one : history.faults)
    marks.push_back({MarkKind::fault, one.at, one.rank,
                     (one.refused.empty() ? "injected: " : "refused: ") + one.text});
  for (const auto& one : history.stragglers)
    marks.push_back({MarkKind::straggler, one.at, one.rank,
                     fmt::format("straggler: {:.1f}x the median", one.factor)});
  for (const auto& one : history.hangs)
    marks.push_back({MarkKind::hang, one.at, -1, "hang: " + one.kind});
  for (const auto& attempt : history.generations)
    for (const auto& rank : attempt.ranks)
      if (died(attempt, rank))
        marks.push_back({MarkKind::death, *rank.exited, rank.rank, exit_text(rank)});
  std::stable_sort(marks.begin(), marks.end(),
                   [](const Mark& a, const Mark& b) { return a.at < b.at; });
  if (marks.size() > kMostMarks) marks.erase(marks.begin(), marks.end() - kMostMarks);
  return marks;
}

std::vector<CurvePoint> curve_of(const history::History& history) {
  std::size_t all = 0;
  for (const auto& attempt : history.generations) all += attempt.points.size();
  const std::size_t stride = all / kMostCurvePoints + 1;
  std::vector<CurvePoint> curve;
  for (const auto& attempt : history.generations) {
    const auto& points = attempt.points;
    const history::ProgressPoint* before = nullptr;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (i % stride != 0 && i + 1 != points.size()) continue;
      const auto& point = points[i];
      CurvePoint one{.at = point.at, .step = point.step, .begins = before == nullptr};
      if (point.loss && std::isfinite(*point.loss)) one.loss = point.loss;
      if (before != nullptr && point.step > before->step)
        one.milliseconds = static_cast<double>((point.at - before->at).count()) / 1e6 /
                           static_cast<double>(point.step - before->step);
      curve.push_back(one);
      before = &point;
    }
  }
  return curve;
}

std::string quoted(const std::string& text) {
  const auto valid = as_utf8(text);
  return boost::json::serialize(boost::json::string(valid.data(), valid.size()));
}

template <class List, class Write>
void list(std::string& json, const List& all, Write write) {
  json += '[';
  bool first = true;
  for (const auto& one : all) {
    if (!std::exchange(first, false)) json += ',';
    write(one);
  }
  json += ']';
}

}  // namespace

std::string_view id_of(MarkKind kind) {
  constexpr std::string_view kIds[] = {"fault", "death", "straggler", "hang"};
  return kIds[static_cast<std::size_t>(kind)];
}

Chart chart_of(const history::History& history) {
  Chart chart{.began = history.began,
              .end = history.end,
              .first_rank = history.run.first_rank,
              .ranks = history.run.nproc};
  chart.attempts = attempts_of(history, chart.left_out);
  chart.marks = marks_of(history);
  chart.curve = curve_of(history);
  return chart;
}

// Times are milliseconds since the run began.
std::string json_of(const Chart& chart) {
  std::string json;
  const auto into = std::back_inserter(json);
  const auto ms = [&](core::TimePoint at) {
    return static_cast<double>((at - chart.began).count()) / 1e6;
  };
  fmt::format_to(into, R"({{"end":{:.3f},"first":{},"ranks":{},"activities":)", ms(chart.end),
                 chart.first_rank, chart.ranks);
  list(json, history::kActivities, [&](const history::ActivityName& one) {
    fmt::format_to(into, R"(["{}","{}"])", one.id, one.what);
  });
  json += R"(,"attempts":)";
  list(json, chart.attempts, [&](const Attempt& attempt) {
    fmt::format_to(into, R"({{"n":{},"began":{:.3f},"ended":{:.3f},"outcome":{},"lanes":)",
                   attempt.number, ms(attempt.began), ms(attempt.ended), quoted(attempt.outcome));
    // [rank, pid, exit, start, activity, end, activity, end …]
    list(json, attempt.lanes, [&](const Lane& lane) {
      fmt::format_to(into, "[{},{},{},{:.3f}", lane.rank, lane.pid, quoted(lane.exit),
                     ms(lane.spawned));
      for (const auto& one : lane.segments)
        fmt::format_to(into, ",{},{:.3f}", static_cast<int>(one.activity), ms(one.to));
      json += ']';
    });
    json += '}';
  });
  json += R"(,"marks":)";
  list(json, chart.marks, [&](const Mark& mark) {
    fmt::format_to(into, R"([{:.3f},{},"{}",{}])", ms(mark.at), mark.rank, id_of(mark.kind),
                   quoted(mark.text));
  });
  json += R"(,"curve":)";
  list(json, chart.curve, [&](const CurvePoint& point) {
    fmt::format_to(into, "[{:.3f},{},", ms(point.at), point.step);
    const auto number = [&](const std::optional<double>& value) {
      if (value) {
        fmt::format_to(into, "{:.6g}", *value);
      } else {
        json += "null";
      }
    };
    number(point.loss);
    json += ',';
    number(point.milliseconds);
    json += point.begins ? ",1]" : "]";
  });
  json += '}';
  return json;
}

}  // namespace ddp::page
