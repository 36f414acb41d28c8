#include "common/faults/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ddp::fault {
namespace {

enum Purpose : std::uint64_t { kRankOf, kStepOf, kGapOf, kChoiceOf };

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

std::int64_t amount(const Interval& interval) {
  if (const auto* steps = std::get_if<std::int64_t>(&interval)) return *steps;
  return std::get<Nanoseconds>(interval).count();
}

}  // namespace

std::uint64_t draw(std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return mix(mix(mix(mix(seed) ^ a) ^ b) ^ c);
}

Schedule::Schedule(const Spec& spec, std::uint64_t seed, int fault, int slot, int world_size)
    : step_(spec.step.value_or(Range{})),
      every_(spec.every),
      mtbf_(spec.mtbf),
      times_(spec.times.value_or(spec.periodic() ? kNoLimit : 1)),
      seed_(spec.seed.value_or(seed)),
      choice_(spec.choice),
      fault_(fault),
      slot_(slot),
      world_size_(std::max(world_size, 1)) {}

std::uint64_t Schedule::bits(std::int64_t occurrence, std::uint64_t purpose) const {
  // The slot is part of it: with `rank=all,mtbf=1m` each rank has its own times.
  const auto slot = static_cast<std::uint64_t>(slot_ + 1) << 32;
  return draw(seed_, slot | static_cast<std::uint64_t>(fault_),
              static_cast<std::uint64_t>(occurrence), purpose);
}

double Schedule::unit(std::int64_t occurrence, std::uint64_t purpose) const {
  return (static_cast<double>(bits(occurrence, purpose) >> 11) + 1) * 0x1.0p-53;
}

int Schedule::rank(std::int64_t occurrence) const {
  if (slot_ != kAny) return slot_;
  return static_cast<int>(bits(occurrence, kRankOf) % static_cast<std::uint64_t>(world_size_));
}

std::uint64_t Schedule::choice(std::int64_t occurrence) const {
  return choice_.value_or(bits(occurrence, kChoiceOf));
}

std::int64_t Schedule::cumulative(std::int64_t occurrence) const {
  if (every_) {
    const std::int64_t gap = amount(*every_);
    return occurrence >= kNoLimit / gap - 1 ? kNoLimit : (occurrence + 1) * gap;
  }
  const auto wanted = static_cast<std::size_t>(occurrence) + 1;
  const auto mean = static_cast<double>(amount(*mtbf_));
  while (sums_.size() < wanted) {
    // Exponential gaps: failures are memoryless. At least 1, so that steps ascend strictly.
    const auto at = static_cast<std::int64_t>(sums_.size());
    const double gap = std::max(1.0, std::round(-mean * std::log(unit(at, kGapOf))));
    const std::int64_t before = sums_.empty() ? 0 : sums_.back();
    const bool far = gap >= static_cast<double>(kNoLimit - before) / 2;
    sums_.push_back(far ? kNoLimit : before + static_cast<std::int64_t>(gap));
  }
  return sums_[wanted - 1];
}

std::int64_t Schedule::step(std::int64_t occurrence) const {
  if (every_ || mtbf_) return cumulative(occurrence);
  const auto width = static_cast<std::uint64_t>(step_.last - step_.first) + 1;
  return step_.first + static_cast<std::int64_t>(bits(occurrence, kStepOf) % width);
}

Nanoseconds Schedule::uptime(std::int64_t occurrence) const {
  return Nanoseconds(cumulative(occurrence));
}

void Progress::finish(std::int64_t occurrence) {
  if (occurrence >= next) done.insert(occurrence);
  while (!done.empty() && *done.begin() == next) {
    done.erase(done.begin());
    ++next;
  }
}

std::optional<std::int64_t> take_due(const Schedule& schedule, Progress& progress, int rank,
                                     std::int64_t step) {
  std::optional<std::int64_t> first;
  for (std::int64_t k = progress.next; k < schedule.times() && schedule.step(k) <= step; ++k) {
    if (schedule.rank(k) != rank || progress.is_done(k)) continue;
    if (!first) first = k;
    progress.finish(k);
  }
  return first;
}

}  // namespace ddp::fault
