// Keeps the record of the run, from which reports, the table of failures and expectations are made.
// A failure is written to events.jsonl once it is known what became of it, which is when the next
// attempt or the run has ended.
#pragma once

#include "launcher/core/observer.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/record/fault_plan.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/output/options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

class Recorder final : public core::Observer {
 public:
  // `plan`, `output` and `events` are borrowed. The workers get sockets in `run_dir`.
  Recorder(const core::RankGroup& ranks, const core::FaultPlan& plan, const OutputOptions& output,
           EventLog& events, std::string run_dir);

  void on(const core::Event& event, core::TimePoint now) override {
    core::dispatch(*this, event, now);
  }
  void on(const core::Action& action, core::TimePoint now) override {
    core::dispatch(*this, action, now);
  }

  const core::RunRecord& record() const { return record_; }
  // The fault behind the failure of the attempt that is over, as it is typed; empty: none.
  std::string behind_last_failure() const;

  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStarted& started, core::TimePoint now);
  void apply(const core::WorkerStep& event, core::TimePoint now);
  void apply(const core::WorkerDigest& digest, core::TimePoint now);
  void apply(const core::FaultAdded& added, core::TimePoint now);
  void apply(const core::FaultInjected& fault, core::TimePoint now);
  void apply(const core::FaultUndone& undone, core::TimePoint now);
  void apply(const core::ExceptionFound& found, core::TimePoint now);
  void apply(const core::DiagnosisMade& made, core::TimePoint now);
  void apply(const core::GenerationOver& over, core::TimePoint now);
  void apply(const core::Finish& finish, core::TimePoint now);

 private:
  void add_fault(const fault::Spec& spec);
  std::vector<core::FaultTally> tallies_here() const;
  void write_last_failure(core::TimePoint now);

  const core::RankGroup ranks_;
  const core::FaultPlan& plan_;
  const OutputOptions& output_;
  EventLog& events_;
  std::string run_dir_;
  core::RunRecord record_;
  std::vector<core::FaultTally> tallies_;         // by fault
  std::optional<core::RankException> exception_;  // of the attempt that is ending
  bool unwritten_failure_ = false;                // the last one
  bool keeper_killed_ = false;
};

}  // namespace ddp
