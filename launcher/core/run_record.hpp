// What happened in a run, as far as failures and faults are concerned, and what is measured from
// it.
#pragma once

#include "launcher/core/fault_event.hpp"
#include "launcher/core/verdict.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::core {

struct InjectedFault {
  Strike strike;
  TimePoint at;
  std::string refused;  // why the system did not let it be applied; empty: it was
};

// What is kept of a generation: a run may have thousands, so nothing that grows with the group.
struct GenerationRecord {
  Generation generation = 0;
  std::optional<TimePoint> first_started;  // the first worker's exec
  std::optional<std::int64_t> first_step;  // the first one any worker reported
  std::optional<TimePoint> first_step_at;
  std::optional<std::int64_t> last_step;  // the highest one
  std::optional<Cause> cause;
  std::optional<std::int64_t> blamed_step;  // the last one of the blamed worker
  std::optional<TimePoint> failed;
  std::optional<TimePoint> ended;
  std::int64_t survivors = 0;
};

struct RunRecord {
  std::vector<GenerationRecord> generations;
  std::vector<InjectedFault> faults;  // not all of them: struck() tells which
  std::int64_t forgotten = 0;         // how many that did no harm are no longer in `faults`
  // Of the last generation: the ranks that the strike behind its failure ended besides the blamed
  // one, such as the others of rank=all. They are no longer in `faults`.
  std::vector<LocalRank> ended_alike;
  int first_rank = 0;  // the global rank of local rank 0
  int exit_code = 0;
  std::int64_t left = 0;  // processes found when all should have gone
  std::string digest;     // X_DDP_DIGEST, the last one; empty: none was told

  int restarts() const {
    return generations.empty() ? 0 : static_cast<int>(generations.size()) - 1;
  }
  // Of the generation that is running, the last one of the record; before the first they are
  // ignored.
  void began(Generation generation);
  void started(TimePoint now);
  void stepped(std::int64_t step, TimePoint now);
  // A fault may strike a million times in a run: of those of one kind to one rank in one generation
  // the last is kept, which is the one that a failure would be put down to, and of those that did
  // no harm the first few.
  void struck(InjectedFault fault);
  void ended(const Verdict& verdict);

 private:
  // Moves what the strike `behind` the failure did to others from `faults` to `ended_alike`; where
  // `behind` is then.
  std::size_t gather_alike(std::size_t behind, const Verdict& verdict);
};

// One failure of the group and what became of it. Durations count from the moment the failure was
// seen, but `detected`, which counts from the fault to that moment.
struct Incident {
  Generation generation = 0;
  Cause cause;
  std::optional<std::size_t> fault;  // into RunRecord::faults; none: it was real
  std::optional<int> rank;           // global
  std::optional<std::int64_t> step;  // of the blamed worker
  std::optional<Nanoseconds> detected;
  std::optional<Nanoseconds> down;        // nothing of the group left
  std::optional<Nanoseconds> next_exec;   // the next generation's first worker started
  std::optional<Nanoseconds> first_step;  // the next generation's first step
  std::optional<std::int64_t> repeated;   // steps done again
};

// The fault that made the record's last generation fail: into RunRecord::faults. None: it was real,
// or it did not fail.
std::optional<std::size_t> fault_behind_last(const RunRecord& record);

// In order. A stop request is no failure.
std::vector<Incident> incidents(const RunRecord& record);

// "SIGKILL", "exit 3", "out of memory", "not started", "early exit", "hang": the words in which a
// plan names a root cause.
std::string cause_name(const Cause& cause);
// Whether cause_name() could have said this.
bool is_cause_name(std::string_view name);

}  // namespace ddp::core
