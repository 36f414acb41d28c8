#include "launcher/core/group/restart_policy.hpp"

#include "launcher/core/exit_code.hpp"

#include <algorithm>
#include <random>

namespace ddp::core {
namespace {

// Workers that report steps made progress when one finished a step; others, when the attempt was
// long enough. Of a hang, the time before it counts.
bool made_progress(const Verdict& verdict, TimePoint now, Nanoseconds long_enough) {
  bool any_step = false;
  for (const auto& worker : verdict.workers) any_step |= worker.last_step.has_value();
  TimePoint end = now;
  if (const auto lost = standstill(*verdict.cause)) end = verdict.failed.value_or(now) - *lost;
  return any_step || end - verdict.began >= long_enough;
}

bool contains(const std::vector<int>& codes, int code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool failed_too_soon(const RestartPolicy& policy, const Verdict& verdict, TimePoint now) {
  const auto is_ready = [](const WorkerOutcome& worker) { return worker.ready.has_value(); };
  if (policy.restart_after_ready)
    return !std::all_of(verdict.workers.begin(), verdict.workers.end(), is_ready);
  return policy.restart_after > Nanoseconds::zero() &&
         verdict.failed.value_or(now) - verdict.began < policy.restart_after;
}

// Equal for failures that are the same to a user.
std::string signature(const Cause& cause, int exit_code) {
  const auto rank = root_cause_rank(cause);
  return std::to_string(cause.index()) + "/" + std::to_string(rank.value_or(-1)) + "/" +
         std::to_string(exit_code);
}

// The back-off doubled for each of `times`, at most the longest, less up to a tenth.
Nanoseconds delay_of(const RestartPolicy& policy, int times, int salt) {
  double delay = static_cast<double>(policy.backoff.count());
  const double most = static_cast<double>(policy.max_backoff.count());
  for (int i = 0; i < times && delay < most; ++i) delay *= 2;
  // Seeded by position, not by a running generator: the n-th delay of a run is the same in each
  // replay.
  std::mt19937_64 random(policy.jitter_seed + static_cast<std::uint64_t>(salt));
  const double jitter = std::uniform_real_distribution<double>(0.9, 1.0)(random);
  return Nanoseconds(static_cast<std::int64_t>(std::min(delay, most) * jitter));
}

}  // namespace

RestartDecision RestartHistory::decide(const Verdict& verdict, TimePoint now) {
  using Reason = GiveUp::Reason;
  const int exit_code = exit_code_of(verdict);
  if (!verdict.survivors.empty()) return GiveUp{Reason::unkillable, restarts_};
  if (!is_failure(*verdict.cause)) return GiveUp{Reason::stop_requested, restarts_};

  if (made_progress(verdict, now, policy_.progress_after)) {
    without_progress_ = 0;
    same_failure_ = 0;
  } else {
    ++without_progress_;
    const std::string failure = signature(*verdict.cause, exit_code);
    same_failure_ = failure == last_failure_ ? same_failure_ + 1 : 1;
    last_failure_ = failure;
  }

  if (policy_.window) {
    while (!granted_.empty() && now - granted_.front() > *policy_.window) granted_.pop_front();
  }
  const int used = policy_.window ? static_cast<int>(granted_.size()) : restarts_;
  // No other reason matters where no restart was asked for.
  if (policy_.max_restarts == 0) return GiveUp{Reason::no_restarts_left, restarts_};
  if (contains(policy_.never_retry, exit_code)) return GiveUp{Reason::not_retryable, restarts_};
  if (contains(policy_.no_restart_on, exit_code) ||
      (policy_.restart_on && !contains(*policy_.restart_on, exit_code)))
    return GiveUp{Reason::code_excluded, restarts_};
  if (failed_too_soon(policy_, verdict, now)) return GiveUp{Reason::failed_too_soon, restarts_};
  if (used >= policy_.max_restarts) return GiveUp{Reason::no_restarts_left, restarts_};
  if (policy_.crash_loop > 0 && same_failure_ >= policy_.crash_loop)
    return GiveUp{Reason::crash_loop, same_failure_};

  ++restarts_;
  granted_.push_back(now);
  if (without_progress_ <= 1) return RestartIn{};
  return RestartIn{delay_of(policy_, without_progress_ - 2, restarts_)};
}

}  // namespace ddp::core
