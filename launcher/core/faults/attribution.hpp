// Which of the faults that were injected into an attempt is behind its failure. A guess from what
// each kind can do (launcher/core/faults/traits.hpp): where a signal killed the root cause, a fault
// that sends it; where the rank exited by itself, whatever may have led it or its peers to do so.
#pragma once

#include "launcher/core/fault_action.hpp"
#include "launcher/core/verdict.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct InjectedFault {
  Injection injection;
  TimePoint at;
  std::string refused;            // the system's reason not to apply it; empty: applied
  std::optional<TimePoint> over;  // when it was undone, while its worker was alive
};

// A fault that was undone may be behind a failure for this long: a peer that gives up needs time to
// exit.
constexpr Nanoseconds kAftermath = std::chrono::seconds(1);

// The index of the fault behind the failure, none if no fault is. A fault that makes a rank exit in
// exactly this way comes before one at the same rank that may have led to it, and that before one
// at another rank; of equals the later.
std::optional<std::size_t> fault_behind(const std::vector<InjectedFault>& faults,
                                        const Verdict& verdict);

// Whether a worker exits in this way because of this fault alone.
bool is_end_by(const Injection& injection, const ExitStatus& status);

}  // namespace ddp::core
