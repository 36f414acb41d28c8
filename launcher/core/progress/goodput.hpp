// How much of a run's time was training that lasted.
//
// Time is productive in which steps were finished that no later attempt did again, less their
// checkpoints. What else a run's time went to is divided without gap or overlap: the parts add up
// to the total. The ratio productive / total is the effective training time ratio of Meta's
// "Revisiting Reliability in Large-Scale Machine Learning Research Clusters" (2024), and the
// runtime goodput of Google's ML productivity goodput (2024), without the share of the queue.
#pragma once

#include "launcher/core/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ddp::core {

struct Goodput {
  Nanoseconds total{};       // from the start of the run to its end
  Nanoseconds productive{};  // steps that were never done again
  Nanoseconds repeated{};    // steps that a later attempt did again
  Nanoseconds checkpoint{};  // the phase "checkpoint" between productive steps
  Nanoseconds startup{};     // until the first attempt was ready for its first step
  Nanoseconds detection{};   // from the last finished step to the beginning of the teardown
  Nanoseconds teardown{};    // until nothing of the failed attempt was left
  Nanoseconds backoff{};     // until the next attempt began
  Nanoseconds recovery{};    // until that was ready for its first step
  Nanoseconds shutdown{};    // after the last step of the attempt that ended well
  double ratio() const;      // productive / total; 0 for no time
};

// All but the total, which they add up to.
struct GoodputPart {
  std::string_view name;  // in events.jsonl
  std::string_view what;  // in a sentence
  Nanoseconds Goodput::*time;
};
inline constexpr std::array kGoodputParts{
    GoodputPart{"productive_ns", "training that lasted", &Goodput::productive},
    GoodputPart{"repeated_ns", "repeated steps", &Goodput::repeated},
    GoodputPart{"checkpoint_ns", "checkpoints", &Goodput::checkpoint},
    GoodputPart{"startup_ns", "start-up", &Goodput::startup},
    GoodputPart{"detection_ns", "detection", &Goodput::detection},
    GoodputPart{"teardown_ns", "teardown", &Goodput::teardown},
    GoodputPart{"backoff_ns", "back-off", &Goodput::backoff},
    GoodputPart{"recovery_ns", "recovery", &Goodput::recovery},
    GoodputPart{"shutdown_ns", "shutdown", &Goodput::shutdown},
};

// Fed in the order of events; reports none of the times that it has not seen.
class GoodputMeter {
 public:
  void started(TimePoint now);  // the run
  void began(TimePoint now);    // an attempt
  void ready(TimePoint now);    // one of its ranks
  // A step that the whole group has finished at `at`; `first` is the attempt's first step, and
  // `checkpointing` the time in checkpoints since the attempt began. Where not every step is given,
  // those between two are taken to have been equally long.
  void stepped(std::int64_t step, std::int64_t first, TimePoint at, Nanoseconds checkpointing);
  void stopping(TimePoint now);  // the attempt is torn down
  void ended(TimePoint now);     // nothing of it is left
  void finished(TimePoint now);  // the run

  // None: no step was reported, or the run has not started. Until it has finished: up to the last
  // event.
  std::optional<Goodput> result() const;

 private:
  struct Point {
    std::int64_t step;
    TimePoint at;
    Nanoseconds checkpointing;
  };
  struct Attempt {
    TimePoint began;
    std::optional<TimePoint> ready;     // the last rank, before the first step
    std::vector<Point> points;          // thinned out: at most kMostPoints
    std::optional<std::int64_t> first;  // step
    std::int64_t counted = 0;           // steps before it counted anew
    std::optional<TimePoint> stopping;
    std::optional<TimePoint> ended;
  };
  static constexpr std::size_t kMostPoints = 256;
  static constexpr std::size_t kMostAttempts = 256;  // the parts of older ones are summed up
  void add(Goodput& sum, std::size_t attempt) const;
  // The first step that an attempt after this one reported first; none: they reported none.
  std::optional<std::int64_t> resumed_after(std::size_t attempt) const;

  std::optional<TimePoint> started_;
  std::optional<TimePoint> finished_;
  TimePoint seen_;                   // the last event
  Goodput older_;                    // of attempts that are no longer kept
  TimePoint older_end_;              // when the last of them ended
  std::int64_t older_attempts_ = 0;  // how many
  std::vector<Attempt> attempts_;
  bool stepped_ = false;
};

}  // namespace ddp::core
