// Whether a failed group is restarted, and when. Pure: the same history gives the same answer.
#pragma once

#include "launcher/core/restart_decision.hpp"
#include "launcher/core/types.hpp"
#include "launcher/core/verdict.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct RestartPolicy {
  int max_restarts = 0;
  // With a window, max_restarts counts only the restarts within it ("3 in 10m").
  std::optional<Nanoseconds> window;
  // The first restart after progress has no delay. Each further one in a row without progress waits
  // backoff, 2·backoff, 4·backoff … up to max_backoff, each with up to 10 % less at random.
  Nanoseconds backoff = std::chrono::seconds(1);
  Nanoseconds max_backoff = std::chrono::seconds(30);
  // This many attempts in a row that fail in the same way at the same rank without progress are a
  // crash loop; 0: never one.
  int crash_loop = 5;
  // By the exit code that the run would have (128+n for signal n, 72 for a hang).
  std::vector<int> never_retry{2, 126, 127};   // usage errors and programs that cannot be executed
  std::vector<int> no_restart_on;              // nor these
  std::optional<std::vector<int>> restart_on;  // only these; none: every other
  // A group that fails sooner has an error that a restart does not fix: before every worker was
  // ready, or before it had run this long.
  bool restart_after_ready = false;
  Nanoseconds restart_after{};
  // A group that reports no steps has made progress when its attempt was this long.
  Nanoseconds progress_after = std::chrono::seconds(10);
  std::uint64_t jitter_seed = 0;
};

// Remembers the failures of one launch.
class RestartHistory {
 public:
  explicit RestartHistory(RestartPolicy policy) : policy_(std::move(policy)) {}
  // `verdict` must have a cause. A restart that it grants is counted.
  RestartDecision decide(const Verdict& verdict, TimePoint now);
  int restarts() const { return restarts_; }

 private:
  RestartPolicy policy_;
  int restarts_ = 0;
  int without_progress_ = 0;  // attempts in a row
  int same_failure_ = 0;      // attempts in a row with last_failure_ and no progress
  std::string last_failure_;
  std::deque<TimePoint> granted_;
};

}  // namespace ddp::core
