// The user's own check of a rank before an attempt (--check), and what its end means.
#pragma once

#include "launcher/core/ranks.hpp"
#include "launcher/core/types.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

enum class CheckOutcome { pass, warn, retry, refuse };

// What a check exits with; any other end refuses the start.
inline constexpr int kCheckWarns = 10;
inline constexpr int kCheckRetry = 20;
inline constexpr int kCheckRefuses = 30;

inline CheckOutcome outcome_of(const ExitStatus& status) {
  const auto* const exited = std::get_if<Exited>(&status);
  if (exited == nullptr) return CheckOutcome::refuse;
  if (exited->code == 0) return CheckOutcome::pass;
  if (exited->code == kCheckWarns) return CheckOutcome::warn;
  if (exited->code == kCheckRetry) return CheckOutcome::retry;
  return CheckOutcome::refuse;
}

// How the check of one rank ended.
struct CheckEnd {
  LocalRank local_rank = 0;
  std::optional<ExitStatus> status;  // none: it was not started, or the launcher ended it
  std::string not_started;           // why; empty: it was
  std::vector<std::string> lines;    // its last ones
};

}  // namespace ddp::core
