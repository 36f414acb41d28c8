#include "launcher/workers/shared_memory_tracker.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ddp {
namespace {

constexpr auto kExamineEvery = std::chrono::seconds(5);

}  // namespace

void SharedMemoryTracker::look(const core::ProcessTable& processes) {
  for (const auto& process : processes) {
    if (process.local_rank >= 0) watch_.inspect(process.pid, process.local_rank);
  }
}

void SharedMemoryTracker::apply(const core::GenerationBegan&, core::TimePoint) {
  watch_.generation_began();
  std::fill(ranks_.begin(), ranks_.end(), Rank{});
  failed_ = false;
}

void SharedMemoryTracker::apply(const core::WorkerStarted& started, core::TimePoint) {
  auto& rank = ranks_.at(static_cast<std::size_t>(started.local_rank));
  rank.pid = started.pid;
  rank.alive = true;
}

void SharedMemoryTracker::apply(const core::WorkerReady& ready, core::TimePoint now) {
  examine(ready.local_rank, now);
}

void SharedMemoryTracker::apply(const core::WorkerStep& event, core::TimePoint now) {
  examine(event.local_rank, now);
}

void SharedMemoryTracker::apply(const core::WorkerExited& exited, core::TimePoint) {
  ranks_.at(static_cast<std::size_t>(exited.local_rank)).alive = false;
  failed_ |= std::holds_alternative<core::Signaled>(exited.status);
}

void SharedMemoryTracker::apply(const core::TeardownBegan& teardown, core::TimePoint) {
  failed_ |= !std::holds_alternative<core::StoppedBySignal>(teardown.cause);
}

void SharedMemoryTracker::apply(const core::ProcessesGone& gone, core::TimePoint) {
  if (!gone.survivors.empty() || (!failed_ && gone.killed.empty())) return;
  std::vector<os::RankProcess> workers;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    if (ranks_[i].pid > 0) workers.push_back({static_cast<core::LocalRank>(i), ranks_[i].pid});
  }
  std::vector<core::ReportedSegment> reported;
  for (auto& segment : watch_.left(workers)) {
    core::ReportedSegment one{std::move(segment)};
    if (core::is_to_be_removed(one.segment, policy_)) {
      one.failure = os::remove_shared_memory(one.segment);
      one.removed = one.failure.empty();
    }
    reported.push_back(std::move(one));
  }
  publish_(core::SharedMemoryLeft{std::move(reported)});
}

void SharedMemoryTracker::examine(core::LocalRank local_rank, core::TimePoint now) {
  auto& rank = ranks_.at(static_cast<std::size_t>(local_rank));
  if (!rank.alive || (rank.examined && now - *rank.examined < kExamineEvery)) return;
  rank.examined = now;
  watch_.inspect(rank.pid, local_rank);
}

}  // namespace ddp
