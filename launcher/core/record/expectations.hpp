// What a fault plan expects of a run, and whether the run met it.
#pragma once

#include "launcher/core/record/run_record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct RootCause {
  std::optional<int> rank;  // global
  std::string by;           // as cause_name(); empty: any
};

struct Expectations {
  int exit = 0;
  std::optional<int> restarts;  // exactly
  std::optional<int> restarts_at_most;
  // Each must hold for every failure of the run, and is not met without one.
  std::optional<Nanoseconds> detected_within;
  std::optional<Nanoseconds> torn_down_within;
  std::optional<Nanoseconds> recovered_within;  // first new step
  std::optional<std::int64_t> lost_steps_at_most;
  std::vector<RootCause> root_causes;  // of the first failure, the second …
  // Each planned fault at least once, except those at random times (mtbf): a run without its faults
  // tests nothing.
  bool all_faults_triggered = true;
  bool no_process_left = false;
  std::string checkpoint_digest;  // empty: not asked
};

struct Check {
  std::string name;      // as in the plan: "recovered_within"
  std::string expected;  // "at most 10 s"
  std::string measured;  // "1.2 s", or why there is none
  bool met = false;
};

// Of a run without a plan, or with one that expects nothing: exit code 0.
inline Expectations exit_0_alone() { return {.all_faults_triggered = false}; }

// In the order above; only what is expected, and always `exit`.
std::vector<Check> evaluate(const Expectations& expect, const RunRecord& record);

}  // namespace ddp::core
