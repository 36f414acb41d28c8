// Finds a rank that is slower than the others, from what the ranks report at each step.
//
// Data-parallel ranks wait for each other, so the time from step to step is the same for all and
// shows nothing. What is compared is each rank's own part of a step:
//   - busy_seconds, a metric that a rank may report with its step (X_DDP_METRIC): how long it
//     computed before it waited. Used when every rank that reports steps reports it.
//   - else the time from when the last rank reported the previous step (or this rank itself, if
//     later) until it reports this one. It shows a slow rank where a step is reported before the
//     ranks wait for each other, or where they never wait; where it is reported after, all ranks
//     report at the same time and nothing shows.
// A rank's figure is the median over the last `window` steps; it is a straggler when that exceeds
// the median rank's (of two, the faster one's) `factor` times and by a millisecond at least. Odd
// steps do not change a median, and neither does slowness that comes in bursts, every few steps: a
// rank that is out of its share of a CPU, or stopped and continued. So the mean without the slowest
// tenth of the window is compared in the same way, and counts when it exceeds in kBurstyWindows in
// a row, over a second. Each rank is reported once per attempt.
#pragma once

#include "launcher/core/event.hpp"
#include "launcher/core/straggler.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace ddp::core {

struct StragglerConfig {
  double factor = 0;  // 0: off
  int window = 20;    // steps
};

class StragglerWatch {
 public:
  StragglerWatch(StragglerConfig config, int nproc);

  void apply(const GenerationBegan& began);
  // Those that are found to be slow, once each in an attempt.
  std::vector<Straggler> apply(const WorkerStep& event, TimePoint now);
  void apply(const WorkerExited& exited);

 private:
  struct Rank {
    std::optional<std::int64_t> step;
    TimePoint reported;
    std::deque<Nanoseconds> own;   // by arrival, at most `window`
    std::deque<Nanoseconds> busy;  // by metric
    int bursty = 0;                // windows in a row in which its mean exceeded
    TimePoint bursty_since;        // the first of them
    bool ended = false;
    bool named = false;
  };
  struct Reports {
    int ranks = 0;
    TimePoint last;
  };

  using Figure = Nanoseconds (*)(std::vector<Nanoseconds>);

  int reporting() const;
  std::vector<Straggler> exceeding(Figure figure) const;
  std::vector<Straggler> evaluate(TimePoint now);

  StragglerConfig config_;
  std::vector<Rank> ranks_;
  std::map<std::int64_t, Reports> steps_;  // the latest ones
  std::int64_t since_ = 0;  // steps reported by all ranks together since the last evaluation
};

}  // namespace ddp::core
