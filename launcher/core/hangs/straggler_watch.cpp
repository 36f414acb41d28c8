#include "launcher/core/hangs/straggler_watch.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace ddp::core {
namespace {

// Ranks that are further apart than this do not wait for each other.
constexpr std::size_t kStepsKept = 8;
// Less than this is noise of the scheduler, whatever the factor.
constexpr Nanoseconds kLeast = std::chrono::milliseconds(1);
// Where 5 % of all steps are odd, one window in 13 has 3 of 20 at random: never 5 in a row.
constexpr int kBurstyWindows = 5;
// Windows of short steps may be over before a neighbour on the same core stops.
constexpr auto kBurstyFor = std::chrono::seconds(1);

// The lower one of the two in the middle.
Nanoseconds median(std::vector<Nanoseconds> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Without the slowest tenth.
Nanoseconds trimmed_mean(std::vector<Nanoseconds> values) {
  const auto end = values.end() - static_cast<std::ptrdiff_t>((values.size() + 9) / 10);
  std::nth_element(values.begin(), end, values.end());
  return std::accumulate(values.begin(), end, Nanoseconds{}) / (end - values.begin());
}

}  // namespace

StragglerWatch::StragglerWatch(StragglerConfig config, int nproc)
    : config_(config), ranks_(static_cast<std::size_t>(nproc)) {}

void StragglerWatch::apply(const GenerationBegan&) {
  std::fill(ranks_.begin(), ranks_.end(), Rank{});
  steps_.clear();
  since_ = 0;
}

std::vector<Straggler> StragglerWatch::apply(const WorkerStep& event, TimePoint now) {
  const auto step = event.step;
  const auto& busy_seconds = event.busy_seconds;
  auto& rank = ranks_.at(static_cast<std::size_t>(event.local_rank));
  if (rank.step && step <= *rank.step) {  // reported twice, or counted anew: nothing to measure
    if (step < *rank.step) steps_.clear();
    rank.step = step;
    rank.reported = now;
    return {};
  }
  const auto keep = [this](std::deque<Nanoseconds>& values, Nanoseconds value) {
    values.push_back(value);
    if (values.size() > static_cast<std::size_t>(config_.window)) values.pop_front();
  };
  if (rank.step) {
    TimePoint since = rank.reported;
    const auto before = steps_.find(*rank.step);
    if (before != steps_.end() && before->second.ranks >= reporting())
      since = std::max(since, before->second.last);
    keep(rank.own, (now - since) / (step - *rank.step));
  }
  if (busy_seconds && std::isfinite(*busy_seconds) && *busy_seconds >= 0 && *busy_seconds < 1e6) {
    keep(rank.busy, Nanoseconds(static_cast<std::int64_t>(*busy_seconds * 1e9)));
  } else {
    rank.busy.clear();
  }
  rank.step = step;
  rank.reported = now;
  auto& reports = steps_[step];
  ++reports.ranks;
  reports.last = now;
  while (steps_.size() > kStepsKept) steps_.erase(steps_.begin());
  if (++since_ < std::int64_t{config_.window} * reporting()) return {};
  since_ = 0;
  return evaluate(now);
}

void StragglerWatch::apply(const WorkerExited& exited) {
  ranks_.at(static_cast<std::size_t>(exited.local_rank)).ended = true;
}

int StragglerWatch::reporting() const {
  return static_cast<int>(std::count_if(ranks_.begin(), ranks_.end(),
                                        [](const Rank& rank) { return rank.step && !rank.ended; }));
}

std::vector<Straggler> StragglerWatch::exceeding(Figure figure) const {
  const auto window = static_cast<std::size_t>(config_.window);
  // A rank with few reports is not compared.
  const auto compared = [&](const Rank& rank) { return !rank.ended && rank.own.size() == window; };
  bool by_metric = true;
  for (const auto& rank : ranks_) by_metric &= !compared(rank) || rank.busy.size() == window;
  std::vector<Nanoseconds> figures(ranks_.size());
  std::vector<Nanoseconds> all;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    if (!compared(ranks_[i])) continue;
    const auto& times = by_metric ? ranks_[i].busy : ranks_[i].own;
    figures[i] = figure({times.begin(), times.end()});
    all.push_back(figures[i]);
  }
  if (all.size() < 2) return {};
  const Nanoseconds middle = median(all);
  std::vector<Straggler> stragglers;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    if (!compared(ranks_[i])) continue;
    const double factor = static_cast<double>(figures[i].count()) /
                          static_cast<double>(std::max<std::int64_t>(1, middle.count()));
    if (factor < config_.factor || figures[i] - middle < kLeast) continue;
    stragglers.push_back({.local_rank = static_cast<LocalRank>(i),
                          .own = figures[i],
                          .median = middle,
                          .factor = factor,
                          .by_metric = by_metric});
  }
  return stragglers;
}

std::vector<Straggler> StragglerWatch::evaluate(TimePoint now) {
  auto found = exceeding(median);
  const auto bursty = exceeding(trimmed_mean);
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    const auto one = std::find_if(bursty.begin(), bursty.end(), [&](const Straggler& straggler) {
      return straggler.local_rank == static_cast<LocalRank>(i);
    });
    auto& rank = ranks_[i];
    rank.bursty = one == bursty.end() ? 0 : rank.bursty + 1;
    if (rank.bursty == 1) rank.bursty_since = now;
    if (rank.bursty >= kBurstyWindows && now - rank.bursty_since >= kBurstyFor)
      found.push_back(*one);
  }
  std::erase_if(found, [this](const Straggler& one) {
    return std::exchange(ranks_[static_cast<std::size_t>(one.local_rank)].named, true);
  });
  return found;
}

}  // namespace ddp::core
