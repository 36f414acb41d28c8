#include "launcher/workers/shared_memory_tracker.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace ddp {
namespace {

constexpr auto kLookEvery = std::chrono::seconds(5);

}  // namespace

void SharedMemoryTracker::generation_began() {
  watch_.generation_began();
  std::fill(last_look_.begin(), last_look_.end(), std::nullopt);
}

void SharedMemoryTracker::notified(core::LocalRank local_rank, int pid, core::TimePoint now) {
  auto& last = last_look_.at(static_cast<std::size_t>(local_rank));
  if (pid <= 0 || (last && now - *last < kLookEvery)) return;
  last = now;
  watch_.look(pid, local_rank);
}

void SharedMemoryTracker::look(const core::ProcessTable& processes) {
  for (const auto& process : processes) {
    if (process.local_rank >= 0) watch_.look(process.pid, process.local_rank);
  }
}

std::vector<ReportedSegment> SharedMemoryTracker::generation_ended(const core::Verdict& verdict,
                                                                   bool killed_any) {
  const auto was_killed = [](const core::WorkerOutcome& worker) {
    return worker.status && std::holds_alternative<core::Signaled>(*worker.status);
  };
  const bool failed =
      verdict.cause && !std::holds_alternative<core::StoppedBySignal>(*verdict.cause);
  if (!failed && !killed_any &&
      std::none_of(verdict.workers.begin(), verdict.workers.end(), was_killed))
    return {};
  std::vector<os::RankProcess> workers;
  for (const auto& worker : verdict.workers) {
    if (worker.pid > 0) workers.push_back({worker.local_rank, worker.pid});
  }
  std::vector<ReportedSegment> reported;
  for (auto& segment : watch_.left(workers)) {
    ReportedSegment one{std::move(segment)};
    if (core::is_to_be_removed(one.segment, policy_)) {
      one.failure = os::remove_shared_memory(one.segment);
      one.removed = one.failure.empty();
    }
    reported.push_back(std::move(one));
  }
  return reported;
}

}  // namespace ddp
