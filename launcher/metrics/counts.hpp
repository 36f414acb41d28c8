// What metrics count over the whole run, and core::Progress, which knows the running attempt alone,
// does not. Made from the stream of events; pure.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/core/types.hpp"
#include "launcher/metrics/histogram.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ddp::metrics {

// How many restarts a run may have, as core::RestartPolicy has it.
struct RestartLimit {
  int most = 0;
  std::optional<core::Nanoseconds> window;  // in which they count
};

class Counts {
 public:
  Counts(const core::RankGroup& ranks, RestartLimit limit)
      : limit_(limit), ranks_(static_cast<std::size_t>(ranks.nproc)) {}

  // --- the stream

  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStarted& started, core::TimePoint now);
  void apply(const core::WorkerStep& step, core::TimePoint now);
  void apply(const core::FaultInjected& fault, core::TimePoint now);
  void apply(const core::Suspended& suspended, core::TimePoint now);
  void apply(const core::GenerationOver& over, core::TimePoint now);
  // The failure of the attempt that is over, after its GenerationOver.
  void failed(const core::Incident& incident);

  // --- what it shows

  int restarts() const { return restarts_; }
  int restarts_left(core::TimePoint now) const;
  // By the name of the cause (core::cause_name).
  const std::map<std::string, std::uint64_t>& failures() const { return failures_; }
  std::uint64_t faults_injected() const { return faults_injected_; }
  // From a fault to the detection of the failure that it caused; of a hang without a fault, from
  // the group's last progress.
  const Histogram& detection() const { return detection_; }
  // From the detection of a failure to the next attempt's first worker, and to its first step.
  const Histogram& restart() const { return restart_; }
  const Histogram& recovery() const { return recovery_; }
  // The time between a rank's reports of one step and the next, in all attempts.
  const Histogram& steps(core::LocalRank rank) const {
    return ranks_.at(static_cast<std::size_t>(rank)).times;
  }

 private:
  struct Rank {
    std::optional<std::int64_t> step;  // the last, in this attempt
    core::TimePoint at;
    Histogram times;
  };

  const RestartLimit limit_;
  std::vector<Rank> ranks_;
  int restarts_ = 0;
  int granted_ = 0;                        // of the limit: a restart on request is none
  std::deque<core::TimePoint> in_window_;  // when, where there is a window
  std::map<std::string, std::uint64_t> failures_;
  std::uint64_t faults_injected_ = 0;
  Histogram detection_;
  Histogram restart_;
  Histogram recovery_;
  // The detection of a failure that the next attempt's first worker, or step, is still to follow.
  std::optional<core::TimePoint> to_restart_;
  std::optional<core::TimePoint> to_step_;
};

}  // namespace ddp::metrics
