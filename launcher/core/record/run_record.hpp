// What happened in a run, as far as failures and faults are concerned, and what is measured from
// it.
#pragma once

#include "launcher/core/faults/attribution.hpp"
#include "launcher/core/faults/event.hpp"
#include "launcher/core/group/verdict.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ddp::core {

// How often a planned fault struck in the whole run.
struct FaultTally {
  fault::Spec spec;
  std::int64_t injected = 0;
  std::int64_t refused = 0;  // by the system
  bool unread = false;       // it waits for a line, and not all that its ranks write is read
};

// One failure of the group and what became of it. Durations count from the moment the failure was
// seen, but `detected`, which counts from the fault to that moment.
struct Incident {
  Generation generation = 0;
  Cause cause;  // without what each rank did in a hang
  TimePoint failed;
  std::optional<InjectedFault> fault;  // none: it was real
  std::optional<int> rank;             // global
  std::optional<std::int64_t> step;    // of the blamed worker
  std::optional<Nanoseconds> detected;
  std::optional<Nanoseconds> down;        // nothing of the group left
  std::optional<Nanoseconds> next_exec;   // the next generation's first worker started
  std::optional<Nanoseconds> first_step;  // the next generation's first step
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

// Strikes by which nothing failed, but those at the launcher itself, which end the run.
struct Harmless {
  static constexpr std::ptrdiff_t kMost = 8;  // of those the system refused, and of the others
  std::vector<InjectedFault> first;
  std::int64_t more = 0;
  void add(const InjectedFault& fault);
};

// A run may have any number of generations, failures and strikes: so much of each is kept.
class RunRecord {
 public:
  static constexpr std::size_t kMostIncidents = 256;

  explicit RunRecord(int first_rank = 0) : first_rank_(first_rank) {}

  // --- what happens, in the order it does

  void began(Generation generation);
  void started(TimePoint now);
  void stepped(std::int64_t step, TimePoint now);
  // Of the strikes of one kind at one rank in one generation the last is kept, which is the one
  // that a failure would be put down to.
  void injected(InjectedFault fault);
  // Its time was over, or another of its kind took its place: place in the plan, local rank.
  void undone(int fault, LocalRank local_rank, TimePoint now);
  void ended(const Verdict& verdict);
  void told_digest(std::string digest) { digest_ = std::move(digest); }
  // `left`: processes found when all should have gone. `planned`: empty where it is not known.
  void finished(int exit_code, std::int64_t left, std::vector<FaultTally> planned = {});

  // The supervisor that kept the record died, and all but the end with it.
  void lost(int exit_code, std::int64_t left, std::vector<FaultTally> planned);

  // --- what came of it

  bool is_lost() const { return lost_; }
  int first_rank() const { return first_rank_; }  // the global rank of local rank 0
  int exit_code() const { return exit_code_; }
  int restarts() const { return generations_ == 0 ? 0 : generations_ - 1; }
  Generation generation() const { return generation_; }  // the running one, or the last
  bool ever_started() const { return ever_started_; }
  std::int64_t processes_left() const { return left_; }
  const std::string& digest() const { return digest_; }  // X_DDP_DIGEST, the last; empty: none

  // In order, the first kMostIncidents and the last one. A stop request is no failure.
  const std::vector<Incident>& incidents() const { return incidents_; }
  // Of all.
  IncidentSummary summary() const;
  // Of the generation that has just ended; null: it did not fail.
  const Incident* last_failure() const;
  // Where a fault is behind the last generation's failure: the other ranks that were ended by it or
  // by another, such as those of rank=all; local.
  const std::vector<LocalRank>& ended_alike() const { return ended_alike_; }
  Harmless harmless() const;
  const std::vector<FaultTally>& planned() const { return planned_; }

 private:
  std::size_t gather_alike(std::size_t behind, const Verdict& verdict);
  void add(Incident incident);
  Incident* failure_before();  // of the generation before the running one; null: none

  int first_rank_;
  bool lost_ = false;
  int exit_code_ = 0;
  std::int64_t left_ = 0;
  std::vector<FaultTally> planned_;
  std::string digest_;
  bool ever_started_ = false;

  int generations_ = 0;
  Generation generation_ = 0;
  bool first_started_ = false;
  std::optional<std::int64_t> last_step_;         // of it: the highest one that was told
  std::optional<std::int64_t> last_step_before_;  // of the generation before
  std::vector<InjectedFault> faults_;             // of it, until it has ended
  std::vector<LocalRank> ended_alike_;

  std::vector<Incident> incidents_;
  IncidentSummary folded_;  // of those that are no longer there
  Harmless harmless_;
};

}  // namespace ddp::core
