#include "launcher/report/recorder.hpp"

#include "launcher/events/failure_event.hpp"
#include "launcher/faults/stream_count.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/proc.hpp"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <utility>

namespace ddp {
namespace {

// Found in two ways that do not depend on how they were killed: by descent, and by what each of
// them was given.
std::int64_t processes_left(const std::string& run_dir) {
  auto left = os::processes_of_launch(run_dir);
  for (const auto& child : os::living_children()) left.push_back(child.pid);
  std::sort(left.begin(), left.end());
  return std::unique(left.begin(), left.end()) - left.begin();
}

}  // namespace

Recorder::Recorder(const core::RankGroup& ranks, const core::FaultPlan& plan,
                   const OutputOptions& output, EventLog& events, std::string run_dir)
    : ranks_(ranks),
      plan_(plan),
      output_(output),
      events_(events),
      run_dir_(std::move(run_dir)),
      record_(ranks.first_rank()) {
  for (const auto& spec : plan.faults) add_fault(spec);
}

void Recorder::add_fault(const fault::Spec& spec) {
  const bool unread = spec.line && streams_of(spec, ranks_, output_).unread > 0;
  tallies_.push_back({.spec = spec, .unread = unread});
}

void Recorder::apply(const core::FaultAdded& added, core::TimePoint) { add_fault(added.spec); }

std::string Recorder::behind_last_failure() const {
  const auto* failure = record_.last_failure();
  return failure && failure->fault ? fault::format(failure->fault->injection.replay) : "";
}

void Recorder::apply(const core::GenerationBegan& began, core::TimePoint) {
  record_.began(began.generation);
}

void Recorder::apply(const core::WorkerStarted&, core::TimePoint now) { record_.started(now); }

void Recorder::apply(const core::WorkerStep& event, core::TimePoint now) {
  record_.stepped(event.step, now);
}

void Recorder::apply(const core::WorkerDigest& digest, core::TimePoint) {
  record_.reported_digest(digest.digest);
}

void Recorder::apply(const core::FaultInjected& fault, core::TimePoint) {
  const bool injected = fault.refused.empty();
  keeper_killed_ |= injected && fault.injection.kind == fault::Kind::kill_keeper;
  record_.injected({fault.injection, fault.at, fault.refused});
  auto& tally = tallies_.at(static_cast<std::size_t>(fault.injection.fault));
  ++(injected ? tally.injected : tally.refused);
}

void Recorder::apply(const core::FaultUndone& undone, core::TimePoint now) {
  if (undone.local_rank) record_.undone(undone.fault, *undone.local_rank, now);
}

void Recorder::apply(const core::ExceptionFound& found, core::TimePoint) {
  if (!found.exception.text.empty()) exception_ = found.exception;
}

void Recorder::apply(const core::DiagnosisMade& made, core::TimePoint) {
  record_.diagnosed(made.generation, made.diagnosis);
}

void Recorder::apply(const core::GenerationOver& over, core::TimePoint now) {
  write_last_failure(now);
  record_.ended(over.verdict, std::exchange(exception_, std::nullopt));
  unwritten_failure_ = record_.last_failure() != nullptr;
}

void Recorder::apply(const core::Finish& finish, core::TimePoint now) {
  write_last_failure(now);
  const bool count = plan_.expect && plan_.expect->no_process_left;
  // A killed keeper is what the user sees, whatever the supervisor does afterwards.
  record_.finished(keeper_killed_ ? 128 + SIGKILL : finish.exit_code,
                   count ? processes_left(run_dir_) : 0, tallies_here());
}

// Of a group on several machines this one does not know what was injected elsewhere: only the
// faults that must be injected into one of its ranks.
std::vector<core::FaultTally> Recorder::tallies_here() const {
  auto here = tallies_;
  if (ranks_.is_whole_world()) return here;
  std::erase_if(here, [this](const core::FaultTally& tally) {
    if (tally.spec.ranks.mode == fault::Ranks::Mode::any) return true;
    for (core::LocalRank rank = 0; rank < ranks_.nproc; ++rank)
      if (tally.spec.addresses(ranks_.global(rank).value)) return false;
    return true;
  });
  return here;
}

// Of the attempt before, now that it is known what became of it.
void Recorder::write_last_failure(core::TimePoint now) {
  if (std::exchange(unwritten_failure_, false))
    write_failure(events_, record_.incidents().back(), ranks_.first_rank(), now);
}

}  // namespace ddp
