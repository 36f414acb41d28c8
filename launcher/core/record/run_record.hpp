// Room: launcher/core/record. What is kept of a run, and whether it meets the expectations of its
// plan.
// Includes: common, common/faults, launcher/core, launcher/core/faults. Included by:
// launcher/campaign, launcher/events, launcher/faults, launcher/metrics, launcher/plan,
// launcher/report.
//
// The failures and faults of a run, and what is measured from them.
#pragma once

#include "launcher/core/diagnosis.hpp"
#include "launcher/core/exception.hpp"
#include "launcher/core/fault_action.hpp"
#include "launcher/core/faults/attribution.hpp"
#include "launcher/core/verdict.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ddp::core {

// How often a planned fault was triggered in the whole run.
struct FaultTally {
  fault::Spec spec;
  std::int64_t injected = 0;
  std::int64_t refused = 0;  // by the system
  bool unread = false;       // it waits for a line, and not all output of its ranks is read
};

// One failure of the group and its recovery. Durations count from the detection of the failure;
// `detected` counts from the fault to the detection.
struct Incident {
  Generation generation = 0;
  Cause cause;  // without the state of each rank in a hang
  TimePoint failed;
  std::optional<InjectedFault> fault;      // none: not injected
  std::optional<int> rank;                 // global
  std::optional<std::int64_t> step;        // of the root cause
  std::optional<RankException> exception;  // that ended it, where one is known
  std::optional<Diagnosis> diagnosis;      // none of a failure that a fault caused
  std::optional<Nanoseconds> detected;
  std::optional<Nanoseconds> down;        // no process of the group left
  std::optional<Nanoseconds> next_exec;   // the next attempt's first worker started
  std::optional<Nanoseconds> first_step;  // the next attempt's first step
  std::optional<std::int64_t> repeated;   // steps done again
};

// The worst of what was measured.
template <class T>
struct Worst {
  std::optional<T> value;
  bool complete = true;  // every failure has such a measure
  void add(const std::optional<T>& one) {
    if (!one) {
      complete = false;
    } else {
      value = std::max(value.value_or(*one), *one);
    }
  }
};

struct IncidentSummary {
  std::int64_t count = 0;
  Worst<Nanoseconds> detected;
  Worst<Nanoseconds> down;
  Worst<Nanoseconds> first_step;
  Worst<std::int64_t> repeated;
  void add(const Incident& incident);
};

// Injections that no failure followed, except those into the launcher itself, which end the run.
struct Harmless {
  static constexpr std::ptrdiff_t kMost = 8;  // of those the system refused, and of the others
  std::vector<InjectedFault> first;
  std::int64_t more = 0;
  void add(const InjectedFault& fault);
};

// A run may have any number of attempts, failures and injections: this many of each are kept.
class RunRecord {
 public:
  static constexpr std::size_t kMostIncidents = 256;

  explicit RunRecord(GlobalRank first_rank = {}) : first_rank_(first_rank) {}

  // --- input, in the order of events

  void began(Generation generation);
  void started(TimePoint now);
  void stepped(std::int64_t step, TimePoint now);
  // Of several injections of one kind into one rank in one attempt the last is kept: a failure
  // would be attributed to that one.
  void injected(InjectedFault fault);
  // Its time was over, or another of its kind replaced it: place in the plan, local rank.
  void undone(int fault, LocalRank local_rank, TimePoint now);
  void ended(const Verdict& verdict, std::optional<RankException> exception = std::nullopt);
  // Of the last failure, where it is that of `generation` and no fault is behind it.
  void diagnosed(Generation generation, Diagnosis diagnosis);
  void reported_digest(std::string digest) { digest_ = std::move(digest); }
  // `left`: processes found when none should be left. `planned`: empty where it is not known.
  void finished(int exit_code, std::int64_t left, std::vector<FaultTally> planned = {});

  // The supervisor that kept the record died: only the end of the run is known.
  void lost(int exit_code, std::int64_t left, std::vector<FaultTally> planned);

  // --- output

  bool is_lost() const { return lost_; }
  GlobalRank first_rank() const { return first_rank_; }  // of local rank 0
  int exit_code() const { return exit_code_; }
  int restarts() const { return generations_ == 0 ? 0 : generations_ - 1; }
  Generation generation() const { return generation_; }  // the running one, or the last
  bool ever_started() const { return ever_started_; }
  std::int64_t processes_left() const { return left_; }
  const std::string& digest() const { return digest_; }  // X_DDP_DIGEST, the last; empty: none

  // In order, the first kMostIncidents and the last one. A stop request is not a failure.
  const std::vector<Incident>& incidents() const { return incidents_; }
  // Of all.
  IncidentSummary summary() const;
  // Of the attempt that has just ended; null: it did not fail.
  const Incident* last_failure() const;
  // Where a fault is behind the last attempt's failure: the other ranks that faults ended, such as
  // those of rank=all; local.
  const std::vector<LocalRank>& ended_alike() const { return ended_alike_; }
  Harmless harmless() const;
  const std::vector<FaultTally>& planned() const { return planned_; }

 private:
  std::size_t gather_alike(std::size_t behind, const Verdict& verdict);
  void add(Incident incident);
  Incident* failure_before();  // of the attempt before the current one; null: none

  GlobalRank first_rank_;
  bool lost_ = false;
  int exit_code_ = 0;
  std::int64_t left_ = 0;
  std::vector<FaultTally> planned_;
  std::string digest_;
  bool ever_started_ = false;

  int generations_ = 0;
  Generation generation_ = 0;
  bool first_started_ = false;
  std::optional<std::int64_t> last_step_;         // of it: the highest one reported
  std::optional<std::int64_t> last_step_before_;  // of the previous attempt
  std::vector<InjectedFault> faults_;             // of it, until it ends
  std::vector<LocalRank> ended_alike_;

  std::vector<Incident> incidents_;
  IncidentSummary folded_;  // of those that are no longer kept
  Harmless harmless_;
};

}  // namespace ddp::core
