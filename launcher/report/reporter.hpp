// Room: launcher/report. Everything said of a run, to people (messages) and to machines (JUnit).
// Includes: common, common/faults, launcher/base, launcher/core, launcher/core/group,
// launcher/core/hangs, launcher/core/progress, launcher/core/record, launcher/diagnosis,
// launcher/events, launcher/faults, launcher/os, launcher/output, launcher/settings,
// launcher/workers. Included by: launcher, launcher/campaign, launcher/cli, launcher/control,
// launcher/hangs, launcher/preload, launcher/supervisor.
//
// Reports what happens in a launch: to events.jsonl as data, and to the user in words. Decides
// nothing.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/output/router.hpp"
#include "launcher/report/failure_message.hpp"
#include "launcher/report/options.hpp"
#include "launcher/report/progress_recorder.hpp"
#include "launcher/report/recorder.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

class Reporter final : public core::Observer {
 public:
  // All borrowed. Messages go through `router`, in order with the workers' lines. `recorder` and
  // `progress` hear each event before this one does.
  Reporter(LaunchFacts launch, const core::FaultPlan& plan, out::Router& router, EventLog& events,
           const Recorder& recorder, const ProgressRecorder& progress)
      : launch_(std::move(launch)),
        plan_(plan),
        router_(router),
        events_(events),
        recorder_(recorder),
        progress_(progress),
        faults_(plan.faults),
        injections_(plan.faults.size()) {}

  void on(const core::Event& event, core::TimePoint now) override {
    core::dispatch(*this, event, now);
  }
  void on(const core::Action& action, core::TimePoint now) override {
    core::dispatch(*this, action, now);
  }

  // Events go to events.jsonl in `log_dir` (D/<run_id>), which is there; empty: to none. A failure
  // is reported, and no events are kept.
  void record_in(const std::string& log_dir);
  // A part of the output or of the logs is lost, and why.
  void lost(const std::string& what);
  // What the run exits with, once it is over: its expectations may make it another.
  int exit_code() const { return exit_code_; }

  // --- waits (launcher/report/wait_reporter.hpp)

  // Why the group is torn down and which ranks it waits for. `interrupted`: by a SIGINT.
  void still_waiting(const core::Cause& cause, const std::vector<core::LocalRank>& waiting_for,
                     core::Nanoseconds left, bool interrupted);
  // What the exited ranks left running, and for how long it may run on.
  void still_lingering(const std::vector<core::Leftover>& running, core::Nanoseconds left);
  // Processes still alive after SIGKILL.
  void still_dying(const std::vector<core::Survivor>& remaining, core::Nanoseconds left);

  // --- the stream

  void apply(const core::StartRequested& start, core::TimePoint now);
  void apply(const core::CheckEnded& ended, core::TimePoint now);
  void apply(const core::ChecksStop& stop, core::TimePoint now);
  void apply(const core::DevicesReleased& released, core::TimePoint now);
  void apply(const core::ChecksGone& gone, core::TimePoint now);
  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStarted& started, core::TimePoint now);
  void apply(const core::SpawnFailed& failed, core::TimePoint now);
  void apply(const core::GroupRunning& running, core::TimePoint now);
  void apply(const core::PreloadLost& lost, core::TimePoint now);
  void apply(const core::WorkerExited& exited, core::TimePoint now);
  void apply(const core::HangDetected& detected, core::TimePoint now);
  void apply(const core::ProcessesSeen& seen, core::TimePoint now);
  void apply(const core::DiagnosticsKept& kept, core::TimePoint now);
  void apply(const core::RasAnswered& answered, core::TimePoint now);
  void apply(const core::HangExplained& explained, core::TimePoint now);
  void apply(const core::StragglerFound& found, core::TimePoint now);
  void apply(const core::FaultAdded& added, core::TimePoint now);
  void apply(const core::FaultTriggered& triggered, core::TimePoint now);
  void apply(const core::FaultInjected& injected, core::TimePoint now);
  void apply(const core::FaultUndone& undone, core::TimePoint now);
  void apply(const core::ControlRequested& request, core::TimePoint now);
  void apply(const core::KeeperGone& gone, core::TimePoint now);
  void apply(const core::TakeEvidence& take, core::TimePoint now);
  void apply(const core::TeardownBegan& teardown, core::TimePoint now);
  void apply(const core::TeardownEscalated& escalated, core::TimePoint now);
  void apply(const core::RestartGivenUp& given_up, core::TimePoint now);
  void apply(const core::ProcessesGone& gone, core::TimePoint now);
  void apply(const core::SharedMemoryLeft& left, core::TimePoint now);
  void apply(const core::ExceptionFound& found, core::TimePoint now);
  void apply(const core::DiagnosisMade& made, core::TimePoint now);
  void apply(const core::GenerationOver& over, core::TimePoint now);
  void apply(const core::Finish& finish, core::TimePoint now);

 private:
  std::int64_t gen() const { return std::int64_t{generation_}; }
  std::int64_t global(core::LocalRank rank) const { return launch_.ranks.global(rank).value; }
  std::int64_t rank_field(std::optional<core::LocalRank> rank) const;
  VerdictContext context() const;
  void write_last_lines(core::LocalRank rank, const std::vector<std::string>& lines,
                        core::TimePoint now);
  void notice(std::string_view text) { router_.notice(text); }

  const LaunchFacts launch_;
  const core::FaultPlan& plan_;
  out::Router& router_;
  EventLog& events_;
  const Recorder& recorder_;
  const ProgressRecorder& progress_;
  core::TimePoint began_;
  core::Generation generation_ = 0;
  core::Generation reported_ = -1;  // the attempt whose end was reported last
  std::uint16_t master_port_ = 0;
  std::vector<core::ReportedSegment> shared_memory_;  // of the attempt that has just ended
  core::ExceptionFound exception_;                    // of it
  core::Hang examined_;                               // of the present attempt
  std::vector<std::string> stack_;                    // of its root cause
  std::vector<std::string> witness_;                  // what NCCL's RAS says of it
  std::string evidence_;
  std::string last_cause_;  // of the attempt that ended last; empty: none
  std::string cause_time_;  // when the present attempt failed, by the user's clock
  std::vector<fault::Spec> faults_;
  std::vector<std::int64_t> injections_;  // by fault, those that were triggered
  int exit_code_ = 0;
};

}  // namespace ddp
