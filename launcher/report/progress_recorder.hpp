// Keeps what the group has done so far, and writes it to events.jsonl: when a rank is ready, and
// how far the group is.
//
// A worker may take thousands of steps a second, and run for weeks: `progress` is written at most
// ten times a second, and after every kLinesPerInterval lines half as often, so that a file grows
// with the logarithm of the time. The last step of an attempt is always in it.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/core/progress/goodput.hpp"
#include "launcher/core/progress/progress.hpp"
#include "launcher/events/event_log.hpp"

#include <cstdint>
#include <optional>

namespace ddp {

class ProgressRecorder final : public core::Observer {
 public:
  // Borrowed.
  ProgressRecorder(const core::RankGroup& ranks, EventLog& events)
      : events_(events), progress_(ranks) {}

  void on(const core::Event& event, core::TimePoint now) override;
  void on(const core::Action& action, core::TimePoint now) override;

  const core::Progress& progress() const { return progress_; }
  // Up to the last step, also where that is not written yet.
  std::optional<core::Goodput> goodput() const;

  // --- the stream

  void apply(const core::StartRequested& start, core::TimePoint now);
  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerReady& ready, core::TimePoint now);
  void apply(const core::WorkerStep& step, core::TimePoint now);
  void apply(const core::TeardownBegan& teardown, core::TimePoint now);
  void apply(const core::GenerationOver& over, core::TimePoint now);
  void apply(const core::Finish& finish, core::TimePoint now);

 private:
  static constexpr core::Nanoseconds kInterval = std::chrono::milliseconds(100);
  static constexpr std::int64_t kLinesPerInterval = 1000;
  bool due(core::TimePoint now) const;
  void write(core::TimePoint now);

  EventLog& events_;
  core::Progress progress_;
  core::GoodputMeter goodput_;
  core::Nanoseconds interval_ = kInterval;
  std::int64_t lines_ = 0;
  std::optional<core::TimePoint> written_;  // in this attempt
  std::int64_t step_ = 0;                   // that was written
};

}  // namespace ddp
