#include "launcher/report/hang_message.hpp"

#include "common/duration_text.hpp"
#include "launcher/core/record/expectations.hpp"
#include "launcher/report/failure_message.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace ddp {
namespace {

using core::Activity;
using core::HangKind;
using core::RankStanding;

// Ranks in the same state, which are reported together.
struct EqualRanks {
  RankStanding standing;  // of the first of them
  bool is_root_cause = false;
  std::vector<core::LocalRank> ranks;
};

bool alike(const RankStanding& a, const RankStanding& b) {
  return a.step == b.step && a.phase == b.phase && a.started == b.started && a.ready == b.ready &&
         a.ended == b.ended && a.behind == b.behind &&
         process_text(a.process) == process_text(b.process);
}

std::vector<EqualRanks> grouped(const core::Hang& hang, std::optional<core::LocalRank> root_cause) {
  std::vector<EqualRanks> groups;
  for (const auto& rank : hang.ranks) {
    const bool is_root_cause = root_cause == rank.local_rank;
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const EqualRanks& group) {
      return !is_root_cause && !group.is_root_cause && alike(group.standing, rank);
    });
    if (found != groups.end()) {
      found->ranks.push_back(rank.local_rank);
    } else {
      groups.push_back({rank, is_root_cause, {rank.local_rank}});
    }
  }
  const auto weight = [](const EqualRanks& group) {
    return group.is_root_cause ? 0 : group.standing.behind ? 1 : group.standing.ended ? 3 : 2;
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const EqualRanks& a, const EqualRanks& b) { return weight(a) < weight(b); });
  return groups;
}

std::string headline(const core::Hang& hang) {
  const std::string limit = exact_duration(hang.limit);
  switch (hang.kind) {
    case HangKind::not_ready:
      return "not ready within " + limit;
    case HangKind::no_heartbeat:
      return "no heartbeat for " + limit;
    case HangKind::no_progress: {
      const bool none = std::none_of(hang.ranks.begin(), hang.ranks.end(),
                                     [](const RankStanding& rank) { return rank.step; });
      return (none ? "no step for " : "no new step for ") + limit;
    }
    case HangKind::silent:
      return "no output for " + limit;
    case HangKind::run_timeout:
      return "the run exceeded its time limit of " + limit;
  }
  return "?";
}

// The state of one group of ranks: "is behind at step 41".
std::string predicate(HangKind kind, const RankStanding& rank, bool is_root_cause, bool many) {
  const auto verb = [&](const char* one, const char* more) { return many ? more : one; };
  if (rank.ended) return verb("has exited", "have exited");
  if (!rank.started) return verb("is not started yet", "are not started yet");
  if (kind == HangKind::not_ready)
    return rank.behind ? verb("has not sent READY=1", "have not sent READY=1")
                       : verb("is ready", "are ready");
  const std::string at = rank.step ? fmt::format(" at step {}", *rank.step) : "";
  if (kind == HangKind::no_heartbeat)
    return verb(rank.behind ? "sends no WATCHDOG=1" : "is alive",
                rank.behind ? "send no WATCHDOG=1" : "are alive") +
           at;
  if (kind == HangKind::silent)
    return verb(rank.behind ? "is silent" : "writes output",
                rank.behind ? "are silent" : "write output") +
           at;
  if (!rank.step) return "reported no step";
  if (rank.behind) return verb("is behind", "are behind") + at;
  const bool waits = kind == HangKind::no_progress;
  // The root cause does not wait for the other ranks.
  if (waits && is_root_cause) return fmt::format("made no progress after step {}", *rank.step);
  return verb(waits ? "waits" : "is", waits ? "wait" : "are") + at;
}

}  // namespace

std::string process_text(const core::ProcessPicture& process) {
  const std::string in = process.wait_channel.empty() ? "" : " in " + process.wait_channel;
  switch (process.activity) {
    case Activity::unknown:
      return "";
    case Activity::running:
      return "on the CPU";
    case Activity::sleeping:
      return "asleep" + in;
    case Activity::uninterruptible:
      return "uninterruptible (D)" + in;
    case Activity::stopped:
      return process.state == 't' ? "stopped by a tracer (t)" : "stopped (T)";
    case Activity::ended:
      return "exited meanwhile";
  }
  return "";
}

std::string hang_text(const core::Hang& hang, std::optional<core::LocalRank> root_cause,
                      core::GlobalRank first_rank) {
  std::string text = headline(hang);
  const char* separator = ": ";
  for (const auto& group : grouped(hang, root_cause)) {
    const bool many = group.ranks.size() > 1;
    text += separator + ranks_text(group.ranks, first_rank) + " " +
            predicate(hang.kind, group.standing, group.is_root_cause, many);
    std::string detail = group.standing.phase.empty() ? "" : "phase " + group.standing.phase;
    if (const auto process = process_text(group.standing.process); !process.empty())
      detail += (detail.empty() ? "" : ", ") + process;
    if (!detail.empty() && !group.standing.ended) text += " (" + detail + ")";
    separator = "; ";
  }
  return text;
}

std::string straggler_text(const core::Straggler& straggler, int window,
                           core::GlobalRank first_rank) {
  const auto ms = [](core::Nanoseconds time) { return static_cast<double>(time.count()) / 1e6; };
  return fmt::format(
      "ddp-launch: rank {} is slow: {:.1f} ms per step, median rank {:.1f} ms ({:.1f} times), over "
      "{} steps, measured by {}\n",
      to_string(global_rank(first_rank, straggler.local_rank)), ms(straggler.own),
      ms(straggler.median), straggler.factor, window,
      straggler.by_metric ? "busy_seconds" : "step arrival times");
}

std::string tasks_text(int rank, int pid, const core::ProcessPicture& picture,
                       const core::ProcessSample& before, const core::ProcessSample& after) {
  const auto between = after.at - before.at;
  std::string text = fmt::format(
      "rank {}, pid {}: {}\n{} threads, {:.2f} cores used, two samples within {}\n\n", rank, pid,
      process_text(picture), picture.threads, picture.cores, duration_text(between));
  text += fmt::format("{:>8}  {:<5}  {:>5}  {:<16}  {:<28}  {}\n", "tid", "state", "cores", "name",
                      "waits in", "system call");
  for (const auto& thread : after.threads) {
    const auto earlier = std::find_if(before.threads.begin(), before.threads.end(),
                                      [&](const auto& other) { return other.tid == thread.tid; });
    std::string cores = "new";
    if (earlier != before.threads.end() && between.count() > 0) {
      const auto used = thread.cpu_time - earlier->cpu_time;
      cores = fmt::format("{:.2f}",
                          static_cast<double>(used.count()) / static_cast<double>(between.count()));
    }
    text += fmt::format("{:>8}  {:<5}  {:>5}  {:<16}  {:<28}  {}\n", thread.tid, thread.state,
                        cores, thread.name, thread.wait_channel.empty() ? "-" : thread.wait_channel,
                        thread.system_call.empty() ? "-" : thread.system_call);
  }
  return text;
}

}  // namespace ddp
