// The worker's part of a fault plan. The launcher passes the faults that need the worker's help in
// DDP_FAULTS. The variable is set, maybe to the empty string, whenever a plan is active; then a
// worker follows each X_DDP_STEP with BARRIER=1 and waits, so that a fault from outside at a step
// is injected at exactly that step.
//
// The variable is a list, separated by ';', of "<fault>/<done>:<spec>": the fault's place in the
// plan; the occurrences already over ("2" or "2,4,5": all before 2, and 4 and 5); and the spec
// in canonical form, always with its seed.
#pragma once

#include "common/faults/schedule.hpp"
#include "common/faults/spec.hpp"
#include "common/get_env.hpp"
#include "common/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddp::fault {

struct WorkerFaultEntry {
  int fault = 0;
  Progress progress;
  Spec spec;
};

std::string format_entries(const std::vector<WorkerFaultEntry>& entries);
// "0/2,4:" and the like are refused with a line that names the entry.
Result<std::vector<WorkerFaultEntry>> parse_entries(std::string_view text);

// "<fault>.<occurrence>@<step>": what a worker reports to the launcher, as X_DDP_FAULT and with a
// barrier, before it injects a fault into itself.
struct InjectionId {
  int fault = 0;
  std::int64_t occurrence = 0;
  std::int64_t step = 0;
  friend bool operator==(const InjectionId&, const InjectionId&) = default;
};
std::string format_injection_id(const InjectionId& id);
std::optional<InjectionId> parse_injection_id(std::string_view text);

class WorkerFaults {
 public:
  struct Injection {
    Kind kind = Kind::exit;
    Value value;
    InjectionId id;            // what the worker reports before
    std::uint64_t choice = 0;  // drawn from the seed: which element, bit or byte
  };

  WorkerFaults() = default;  // no plan
  // The error names DDP_FAULTS and the entry.
  static Result<WorkerFaults> read(const GetEnv& get_env, int rank, int world_size, int generation);

  // A plan is active: follow each step with a barrier.
  bool active() const { return active_; }
  // The faults of the given kinds that are due for this rank in (or after) `step`; each occurrence
  // once, in the order of the plan. A fault that the caller does not ask for stays due.
  std::vector<Injection> take(std::int64_t step, std::span<const Kind> kinds);

 private:
  struct Armed {
    WorkerFaultEntry entry;
    Schedule schedule;
    bool injected_this_generation = false;
  };
  bool active_ = false;
  int rank_ = 0;
  std::vector<Armed> armed_;
};

}  // namespace ddp::fault
