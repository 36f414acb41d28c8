// Room: launcher/core/progress. What each rank of the running attempt does, and how much of a run's
// time was training.
// Includes: launcher/core. Included by: launcher/control, launcher/events, launcher/history,
// launcher/metrics, launcher/report, launcher/status.
//
// Made from the stream of events alone, so that a status line, a metric and events.jsonl cannot
// contradict each other.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::core {

enum class RankState {
  waiting,  // not started in this attempt
  started,  // and has not sent READY=1
  ready,
  exited,
};

std::string_view name_of(RankState state);

struct RankProgress {
  RankState state = RankState::waiting;
  int pid = 0;
  std::optional<ExitStatus> status;
  std::optional<std::int64_t> step;  // the last that it reported
  TimePoint stepped;                 // when
  // Time per step, smoothed over the last seconds.
  std::optional<Nanoseconds> step_time;
  std::optional<Nanoseconds> busy;  // of the last step, as reported (kBusySeconds)
  std::optional<double> loss;       // of the last step that had one
  std::string phase;                // the last that it reported
};

enum class GroupState { starting, running, stopping, waiting, finished };

std::string_view name_of(GroupState state);

// How far the group is: the step that every rank has finished.
struct GroupStep {
  std::int64_t step = 0;
  TimePoint at;                // when the last rank finished it
  std::int64_t lead = 0;       // the highest that a rank has finished
  std::optional<double> loss;  // of the first rank that reports one
  // Of the ranks that report how long they computed: the median, and the slowest one.
  std::optional<Nanoseconds> busy_median;
  std::optional<LocalRank> slowest;
  Nanoseconds slowest_busy{};
  // For how long a rank was in the phase "checkpoint", since the attempt began.
  Nanoseconds checkpointing{};
};

class Progress {
 public:
  explicit Progress(const RankGroup& ranks)
      : ranks_(static_cast<std::size_t>(ranks.nproc)), group_(ranks) {}

  // --- the stream

  void apply(const StartRequested& start, TimePoint now);
  void apply(const GenerationBegan& began, TimePoint now);
  void apply(const WorkerStarted& started, TimePoint now);
  void apply(const WorkerReady& ready, TimePoint now);
  void apply(const WorkerStep& step, TimePoint now);
  void apply(const WorkerTotalSteps& total, TimePoint now);
  void apply(const WorkerPhase& phase, TimePoint now);
  void apply(const WorkerExited& exited, TimePoint now);
  void apply(const GroupRunning& running, TimePoint now);
  void apply(const TeardownBegan& teardown, TimePoint now);
  void apply(const GenerationOver& over, TimePoint now);
  void apply(const Finish& finish, TimePoint now);

  // --- what it shows

  const RankGroup& group() const { return group_; }
  const std::vector<RankProgress>& ranks() const { return ranks_; }  // by local rank
  GroupState state() const { return state_; }
  Generation generation() const { return generation_; }
  TimePoint began() const { return began_; }                  // of the run
  TimePoint attempt_began() const { return attempt_began_; }  // of the attempt
  int up() const { return up_; }                              // ranks that are started and alive
  std::optional<std::int64_t> total_steps() const { return total_steps_; }
  // None: no rank has reported a step in this attempt.
  std::optional<GroupStep> step() const;
  // Steps a second, smoothed; of the median rank.
  std::optional<double> rate() const;
  // Until total_steps at the present rate.
  std::optional<Nanoseconds> time_left() const;
  // The lowest step that was reported first in this attempt: where it resumed.
  std::optional<std::int64_t> first_step() const { return first_step_; }
  // Whether every rank has reported a step.
  bool all_step() const { return reporting_ == group_.nproc; }
  // Changes with everything above but the passing of time.
  std::uint64_t version() const { return version_; }

 private:
  RankProgress& rank(LocalRank local) { return ranks_.at(static_cast<std::size_t>(local)); }
  void leave_phase(const RankProgress& rank, TimePoint now);

  std::vector<RankProgress> ranks_;
  RankGroup group_;
  GroupState state_ = GroupState::starting;
  Generation generation_ = 0;
  TimePoint began_;
  TimePoint attempt_began_;
  int up_ = 0;
  int reporting_ = 0;
  std::optional<std::int64_t> total_steps_;
  std::optional<std::int64_t> first_step_;
  int checkpointing_ = 0;  // ranks
  TimePoint checkpointing_since_;
  Nanoseconds checkpointing_before_{};
  std::uint64_t version_ = 0;
};

}  // namespace ddp::core
