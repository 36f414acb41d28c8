#include "launcher/history/segments.hpp"

#include "common/signal_name.hpp"

#include <algorithm>

namespace ddp::history {

std::vector<Segment> segments(const Generation& attempt, const RankSpan& rank,
                              std::optional<core::TimePoint> repeated, core::TimePoint end) {
  std::vector<Segment> found;
  const auto exited = std::max(rank.exited.value_or(attempt.gone.value_or(end)), rank.spawned);
  auto from = rank.spawned;
  const auto until = [&](Activity activity, core::TimePoint to) {
    to = std::min(to, exited);
    if (to <= from) return;
    found.push_back({activity, from, to});
    from = to;
  };
  const auto stopping = attempt.teardown.value_or(exited);
  const auto& points = attempt.points;
  const auto ready = rank.ready ? rank.ready : attempt.ready;
  if (points.empty()) {
    if (ready) until(Activity::start_up, std::min(*ready, stopping));
    until(Activity::running, stopping);
  } else {
    const auto last = points.back().at;
    until(Activity::start_up, std::min(attempt.ready.value_or(points.front().at), stopping));
    until(Activity::steps, std::min(repeated.value_or(last), last));
    until(Activity::repeated, last);
    if (attempt.teardown) until(Activity::unfinished, stopping);
  }
  if (attempt.teardown) until(Activity::stopping, exited);
  // Of a run that still goes on it is not known what follows its last step.
  until(rank.exited ? Activity::shutdown : Activity::running, exited);
  return found;
}

std::string exit_text(const RankSpan& rank) {
  if (rank.code) return "exit " + std::to_string(*rank.code);
  if (!rank.signal) return {};
  return signal_name(*rank.signal) + (rank.oom_killed ? ", out of memory" : "");
}

bool died(const Generation& attempt, const RankSpan& rank) {
  if (!rank.exited || rank.code == 0) return false;
  return rank.rank == attempt.root_cause || !attempt.teardown || *rank.exited < *attempt.teardown;
}

}  // namespace ddp::history
