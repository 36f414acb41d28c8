#include "launcher/core/progress/goodput.hpp"

#include <algorithm>
#include <cstddef>

namespace ddp::core {
namespace {

Nanoseconds between(TimePoint from, TimePoint to) { return std::max(to - from, Nanoseconds(0)); }

// The part of a difference that lies `part` of `whole` along it.
Nanoseconds share(Nanoseconds difference, std::int64_t part, std::int64_t whole) {
  return Nanoseconds(static_cast<std::int64_t>(static_cast<double>(difference.count()) *
                                               static_cast<double>(part) /
                                               static_cast<double>(whole)));
}

}  // namespace

double Goodput::ratio() const {
  if (total.count() <= 0) return 0;
  return static_cast<double>(productive.count()) / static_cast<double>(total.count());
}

void GoodputMeter::started(TimePoint now) {
  started_ = seen_ = now;
  older_end_ = now;
}

void GoodputMeter::began(TimePoint now) {
  seen_ = now;
  if (attempts_.size() == kMostAttempts) {
    add(older_, 0);
    older_end_ = attempts_.front().ended.value_or(now);
    ++older_attempts_;
    attempts_.erase(attempts_.begin());
  }
  attempts_.push_back({.began = now});
}

void GoodputMeter::ready(TimePoint now) {
  seen_ = now;
  if (!attempts_.empty() && attempts_.back().points.empty()) attempts_.back().ready = now;
}

void GoodputMeter::stepped(std::int64_t step, std::int64_t first, TimePoint at,
                           Nanoseconds checkpointing) {
  if (attempts_.empty()) return;
  seen_ = std::max(seen_, at);
  stepped_ = true;
  auto& attempt = attempts_.back();
  auto& points = attempt.points;
  if (!points.empty()) {
    const auto before = points.back().step;
    // Counted anew, in each epoch for example: these are other steps.
    if (step + attempt.counted < before) attempt.counted = before;
    step += attempt.counted;
    if (step == before) return;
  }
  attempt.first = std::min(attempt.first.value_or(first), first);
  points.push_back({step, at, checkpointing});
  if (points.size() < kMostPoints) return;
  // The first and the last stay, and every second between.
  std::size_t kept = 1;
  for (std::size_t i = 2; i + 1 < points.size(); i += 2) points[kept++] = points[i];
  points[kept++] = points.back();
  points.resize(kept);
}

void GoodputMeter::stopping(TimePoint now) {
  seen_ = now;
  if (!attempts_.empty() && !attempts_.back().stopping) attempts_.back().stopping = now;
}

void GoodputMeter::ended(TimePoint now) {
  seen_ = now;
  if (!attempts_.empty()) attempts_.back().ended = now;
}

void GoodputMeter::finished(TimePoint now) { finished_ = seen_ = now; }

std::optional<std::int64_t> GoodputMeter::resumed_after(std::size_t attempt) const {
  std::optional<std::int64_t> resumed;
  for (std::size_t i = attempt + 1; i < attempts_.size(); ++i) {
    const auto& first = attempts_[i].first;
    if (first) resumed = std::min(resumed.value_or(*first), *first);
  }
  return resumed;
}

void GoodputMeter::add(Goodput& sum, std::size_t index) const {
  const auto& attempt = attempts_[index];
  const bool is_first = older_attempts_ == 0 && index == 0;
  const TimePoint before =
      index == 0 ? older_end_ : attempts_[index - 1].ended.value_or(attempt.began);
  const TimePoint ended = attempt.ended.value_or(finished_.value_or(seen_));
  const TimePoint stopping = attempt.stopping.value_or(ended);
  auto& until_ready = is_first ? sum.startup : sum.recovery;
  (is_first ? sum.startup : sum.backoff) += between(before, attempt.began);
  const auto& points = attempt.points;
  if (points.empty()) {
    until_ready += between(attempt.began, stopping);
    sum.teardown += between(stopping, ended);
    return;
  }
  const Point begin{*attempt.first - 1, attempt.ready.value_or(points.front().at), {}};
  until_ready += between(attempt.began, begin.at);
  const auto resumed = resumed_after(index);
  Point from = begin;
  for (const auto& to : points) {
    const auto steps = std::max<std::int64_t>(to.step - from.step, 1);
    const auto kept =
        resumed ? std::clamp<std::int64_t>(*resumed - 1 - from.step, 0, steps) : steps;
    const auto time = between(from.at, to.at);
    const auto checkpoint = std::clamp(to.checkpointing - from.checkpointing, Nanoseconds(0), time);
    const auto kept_time = share(time, kept, steps);
    const auto kept_checkpoint = share(checkpoint, kept, steps);
    sum.productive += kept_time - kept_checkpoint;
    sum.checkpoint += kept_checkpoint;
    sum.repeated += time - kept_time;
    from = to;
  }
  if (attempt.stopping) {
    sum.detection += between(from.at, stopping);
    sum.teardown += between(std::max(stopping, from.at), ended);
  } else {
    sum.shutdown += between(from.at, ended);
  }
}

std::optional<Goodput> GoodputMeter::result() const {
  if (!started_ || !stepped_) return std::nullopt;
  Goodput sum = older_;
  for (std::size_t i = 0; i < attempts_.size(); ++i) add(sum, i);
  const TimePoint end = finished_.value_or(seen_);
  sum.total = between(*started_, end);
  const auto last = attempts_.back().ended;
  if (last) sum.shutdown += between(*last, end);
  return sum;
}

}  // namespace ddp::core
