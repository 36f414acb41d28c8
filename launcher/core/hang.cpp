#include "launcher/core/hang.hpp"

#include <algorithm>

namespace ddp::core {
namespace {

// The rank for which `holds`, if it is the only live one and not the only rank.
template <class Predicate>
std::optional<LocalRank> only(const Hang& hang, Predicate holds) {
  std::optional<LocalRank> found;
  int living = 0;
  for (const auto& rank : hang.ranks) {
    if (rank.ended) continue;
    ++living;
    if (!holds(rank)) continue;
    if (found) return std::nullopt;
    found = rank.local_rank;
  }
  return living > 1 ? found : std::nullopt;
}

bool stuck(const RankStanding& rank) {
  return rank.process.activity == Activity::stopped ||
         rank.process.activity == Activity::uninterruptible;
}

// One that does `what` while all others do `others`.
std::optional<LocalRank> odd_one(const Hang& hang, Activity what, Activity others) {
  const auto odd = only(hang, [&](const auto& rank) { return rank.process.activity == what; });
  int same = 0;
  for (const auto& rank : hang.ranks) {
    if (rank.ended || rank.local_rank == odd) continue;
    if (rank.process.activity != others) return std::nullopt;
    ++same;
  }
  return same >= 2 ? odd : std::nullopt;
}

}  // namespace

const char* name_of(HangKind kind) {
  switch (kind) {
    case HangKind::not_ready:
      return "not_ready";
    case HangKind::no_heartbeat:
      return "no_heartbeat";
    case HangKind::no_progress:
      return "no_progress";
    case HangKind::silent:
      return "silent";
    case HangKind::run_timeout:
      return "run_timeout";
  }
  return "?";
}

const char* name_of(Activity activity) {
  switch (activity) {
    case Activity::unknown:
      return "unknown";
    case Activity::running:
      return "running";
    case Activity::sleeping:
      return "sleeping";
    case Activity::uninterruptible:
      return "uninterruptible";
    case Activity::stopped:
      return "stopped";
    case Activity::ended:
      return "ended";
  }
  return "?";
}

std::optional<LocalRank> root_cause_rank(const Hang& hang) {
  const auto living = std::count_if(hang.ranks.begin(), hang.ranks.end(),
                                    [](const auto& rank) { return !rank.ended; });
  if (living == 1) {
    const auto last = std::find_if(hang.ranks.begin(), hang.ranks.end(),
                                   [](const auto& rank) { return !rank.ended; });
    return last->local_rank;
  }
  if (const auto rank = only(hang, stuck)) return rank;
  if (const auto rank = only(hang, [](const auto& r) { return r.behind; })) return rank;
  if (const auto rank = odd_one(hang, Activity::running, Activity::sleeping)) return rank;
  return odd_one(hang, Activity::sleeping, Activity::running);
}

}  // namespace ddp::core
