#include "launcher/core/hangs/hang_watch.hpp"

#include <algorithm>
#include <utility>

namespace ddp::core {
namespace {

constexpr Nanoseconds kOff{};

}  // namespace

bool HangLimits::any() const {
  return ready > kOff || heartbeat > kOff || progress > kOff || output > kOff || run > kOff;
}

HangWatch::HangWatch(HangLimits limits, int nproc, LastOutput last_output)
    : limits_(limits),
      last_output_(std::move(last_output)),
      ranks_(static_cast<std::size_t>(nproc)) {
  for (const auto kind : {HangKind::not_ready, HangKind::no_heartbeat, HangKind::no_progress,
                          HangKind::silent, HangKind::run_timeout}) {
    const auto limit = limit_of(kind);
    if (limit > kOff && (shortest_ == kOff || limit < shortest_)) shortest_ = limit;
  }
}

void HangWatch::apply(const StartRequested&, TimePoint now) { run_began_ = now; }

void HangWatch::apply(const GenerationBegan&, TimePoint now) {
  std::fill(ranks_.begin(), ranks_.end(), Rank{});
  generation_began_ = now;
  watching_ = true;
}

void HangWatch::apply(const WorkerStarted& started, TimePoint now) {
  auto& one = rank(started.local_rank);
  one.started = now;
  one.output = now;
}

void HangWatch::apply(const WorkerReady& ready, TimePoint now) {
  auto& one = rank(ready.local_rank);
  if (!one.ready) one.ready = now;
  if (!one.heartbeat) one.heartbeat = now;
}

void HangWatch::apply(const WorkerHeartbeat& heartbeat, TimePoint now) {
  rank(heartbeat.local_rank).heartbeat = now;
}

void HangWatch::apply(const WorkerStep& event, TimePoint now) {
  auto& one = rank(event.local_rank);
  if (one.step == event.step) return;
  one.step = event.step;
  one.progressed = now;
}

void HangWatch::apply(const WorkerPhase& event, TimePoint) {
  rank(event.local_rank).phase = event.phase;
}

void HangWatch::apply(const WorkerExited& exited, TimePoint now) {
  rank(exited.local_rank).ended = now;
}

void HangWatch::apply(const TeardownBegan&, TimePoint) { watching_ = false; }

void HangWatch::apply(const Suspended& suspended, TimePoint) {
  const auto duration = suspended.duration;
  // First, what was written before: afterwards it cannot be distinguished from what came since.
  check_output();
  if (run_began_) *run_began_ += duration;
  generation_began_ += duration;
  for (auto& rank : ranks_) {
    for (auto* time :
         {&rank.started, &rank.ready, &rank.heartbeat, &rank.progressed, &rank.output, &rank.ended})
      if (*time) **time += duration;
  }
}

std::optional<TimePoint> HangWatch::next_deadline() const {
  const auto due = next();
  return due ? std::optional(due->at) : std::nullopt;
}

std::optional<Hang> HangWatch::check(TimePoint now) {
  auto due = next();
  if (due && due->at <= now && due->kind == HangKind::silent) {
    check_output();
    due = next();
  }
  if (!due || due->at > now) return std::nullopt;
  Hang hang = describe(due->kind, now);
  watching_ = false;
  if (due->kind == HangKind::run_timeout) run_began_.reset();
  return hang;
}

template <class Member>
std::optional<TimePoint> HangWatch::earliest(Member member) const {
  std::optional<TimePoint> first;
  for (const auto& rank : ranks_) {
    if (rank.ended || !(rank.*member)) continue;
    if (!first || *(rank.*member) < *first) first = rank.*member;
  }
  return first;
}

std::optional<TimePoint> HangWatch::progress_since() const {
  // Ranks that report none are not waited for while others do.
  if (const auto slowest = earliest(&Rank::progressed)) return slowest;
  TimePoint last{};
  bool alive = false;
  for (const auto& rank : ranks_) {
    if (!rank.started) return std::nullopt;  // the group is still being launched
    alive |= !rank.ended;
    last = std::max(last, rank.ended.value_or(rank.ready.value_or(*rank.started)));
  }
  return alive ? std::optional(last) : std::nullopt;
}

std::optional<HangWatch::Due> HangWatch::next() const {
  std::optional<Due> first;
  const auto consider = [&](HangKind kind, std::optional<TimePoint> since) {
    const auto limit = limit_of(kind);
    if (limit <= kOff || !since) return;
    const auto at = *since + limit;
    if (!first || at < first->at) first = Due{at, kind};
  };
  consider(HangKind::run_timeout, run_began_);
  if (!watching_) return first;
  const bool awaited = std::any_of(ranks_.begin(), ranks_.end(),
                                   [](const Rank& rank) { return !rank.ready && !rank.ended; });
  if (awaited) consider(HangKind::not_ready, generation_began_);
  consider(HangKind::no_heartbeat, earliest(&Rank::heartbeat));
  consider(HangKind::no_progress, progress_since());
  consider(HangKind::silent, earliest(&Rank::output));
  return first;
}

void HangWatch::check_output() {
  if (limits_.output <= kOff) return;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    auto& rank = ranks_[i];
    if (rank.ended || !rank.output) continue;
    const auto last = last_output_(static_cast<LocalRank>(i));
    if (last) rank.output = std::max(*rank.output, *last);
  }
}

Nanoseconds HangWatch::limit_of(HangKind kind) const {
  switch (kind) {
    case HangKind::not_ready:
      return limits_.ready;
    case HangKind::no_heartbeat:
      return limits_.heartbeat;
    case HangKind::no_progress:
      return limits_.progress;
    case HangKind::silent:
      return limits_.output;
    case HangKind::run_timeout:
      return limits_.run;
  }
  return kOff;
}

Hang HangWatch::describe(HangKind kind, TimePoint now) const {
  Hang hang{.kind = kind, .limit = limit_of(kind), .ranks = {}};
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    const auto& rank = ranks_[i];
    hang.ranks.push_back({.local_rank = static_cast<LocalRank>(i),
                          .step = rank.step,
                          .phase = rank.phase,
                          .started = rank.started.has_value(),
                          .ready = rank.ready.has_value(),
                          .ended = rank.ended.has_value(),
                          .behind = !rank.ended && behind(rank, kind, now)});
  }
  return hang;
}

bool HangWatch::behind(const Rank& rank, HangKind kind, TimePoint now) const {
  const auto overdue = [&](std::optional<TimePoint> since) {
    return since && *since + limit_of(kind) <= now;
  };
  switch (kind) {
    case HangKind::not_ready:
      return !rank.ready;
    case HangKind::no_heartbeat:
      return overdue(rank.heartbeat);
    case HangKind::silent:
      return overdue(rank.output);
    case HangKind::no_progress:
    case HangKind::run_timeout:
      break;
  }
  // In lock step all stand at one step, or the slowest one step behind.
  std::optional<std::int64_t> least;
  std::optional<std::int64_t> most;
  for (const auto& other : ranks_) {
    if (other.ended || !other.step) continue;
    least = std::min(least.value_or(*other.step), *other.step);
    most = std::max(most.value_or(*other.step), *other.step);
  }
  return least != most && rank.step == least;
}

HangWatch::Rank& HangWatch::rank(LocalRank local_rank) {
  return ranks_.at(static_cast<std::size_t>(local_rank));
}

}  // namespace ddp::core
