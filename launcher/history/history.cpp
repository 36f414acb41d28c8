#include "launcher/history/history.hpp"

#include <algorithm>

namespace ddp::history {

std::optional<core::TimePoint> repeated_from(const History& history, std::size_t index) {
  std::optional<std::int64_t> resumed;
  for (std::size_t i = index + 1; i < history.generations.size(); ++i) {
    const auto& first = history.generations[i].first;
    if (first) resumed = std::min(resumed.value_or(*first), *first);
  }
  const auto& attempt = history.generations[index];
  const auto& points = attempt.points;
  if (!resumed || points.empty() || points.back().step < *resumed) return std::nullopt;
  // Between two points, steps are taken to have been equally long, as in the goodput.
  ProgressPoint from{attempt.first.value_or(1) - 1, attempt.ready.value_or(points.front().at), {}};
  for (const auto& to : points) {
    if (to.step >= *resumed) {
      const auto steps = std::max<std::int64_t>(to.step - from.step, 1);
      const auto kept = std::clamp<std::int64_t>(*resumed - 1 - from.step, 0, steps);
      const double part = static_cast<double>(kept) / static_cast<double>(steps);
      const auto time = static_cast<double>((to.at - from.at).count()) * part;
      return from.at + core::Nanoseconds(static_cast<std::int64_t>(time));
    }
    from = to;
  }
  return std::nullopt;
}

}  // namespace ddp::history
