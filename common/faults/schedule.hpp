// When a fault is triggered again and which rank it draws: pure functions of the plan's seed, the
// fault's place in the plan and the number of the occurrence. So the launcher and every worker, and
// every run of the same plan, get the same answer whatever the order of events.
#pragma once

#include "common/faults/spec.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace ddp::fault {

// Uniform 64 bits from a seed and up to three numbers that identify what is drawn (splitmix64,
// public domain, S. Vigna): the same on every machine, unlike std's distributions.
std::uint64_t draw(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0);

// The occurrences of one fault for one slot: a rank (where ranks are listed, or all), or the one
// slot of `rank=any`, whose rank is drawn for each occurrence.
class Schedule {
 public:
  static constexpr int kAny = -1;
  // `fault` is the place in the plan; `slot` a rank or kAny; the spec's own seed takes precedence
  // over `seed`.
  Schedule(const Spec& spec, std::uint64_t seed, int fault, int slot, int world_size);

  // Occurrences are numbered from 0; there are times() of them.
  std::int64_t times() const { return times_; }
  int rank(std::int64_t occurrence) const;
  // The step it is due at; 0 where the spec has none. With every or mtbf in steps, strictly
  // ascending.
  std::int64_t step(std::int64_t occurrence) const;
  // With every or mtbf in time: how long the group must have been up, over all attempts.
  Nanoseconds uptime(std::int64_t occurrence) const;
  // A number for anything else that the fault chooses: the element, the bit, the byte.
  std::uint64_t choice(std::int64_t occurrence) const;

 private:
  double unit(std::int64_t occurrence, std::uint64_t purpose) const;  // (0, 1]
  std::uint64_t bits(std::int64_t occurrence, std::uint64_t purpose) const;
  std::int64_t cumulative(std::int64_t occurrence) const;  // steps or nanoseconds

  Range step_;
  std::optional<Interval> every_;
  std::optional<Interval> mtbf_;
  std::int64_t times_;
  std::uint64_t seed_;
  std::optional<std::uint64_t> choice_;
  int fault_;
  int slot_;
  int world_size_;
  mutable std::vector<std::int64_t> sums_;  // of the gaps drawn so far
};

// Which occurrences of a slot are over.
struct Progress {
  std::int64_t next = 0;        // all before it are
  std::set<std::int64_t> done;  // beyond next
  bool is_done(std::int64_t occurrence) const {
    return occurrence < next || done.count(occurrence) != 0;
  }
  void finish(std::int64_t occurrence);
};

// The first occurrence due for `rank` when it has reached `step`. Later ones that are also due are
// finished with it: a worker that reports only every hundredth step does not get a hundred faults
// at once. None is due where the slot has no occurrence left for this rank and step. Only for specs
// that are periodic in steps.
std::optional<std::int64_t> take_due(const Schedule& schedule, Progress& progress, int rank,
                                     std::int64_t step);

}  // namespace ddp::fault
