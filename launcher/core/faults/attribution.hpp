// Which of the faults that struck a generation is behind its failure. A guess by what each kind can
// do: of a rank that was killed by a signal, by a fault that sends it; of one that gave up, by what
// it or its peers may have given up for.
#pragma once

#include "launcher/core/faults/event.hpp"
#include "launcher/core/group/verdict.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct InjectedFault {
  Injection injection;
  TimePoint at;
  std::string refused;            // why the system did not let it be applied; empty: it was
  std::optional<TimePoint> over;  // when it was undone, while its worker lived
};

// What was undone may show for so long: a peer that has given up still has to end.
constexpr Nanoseconds kAftermath = std::chrono::seconds(1);

// The index of the fault to blame, none if the failure was real. A fault that ends a rank exactly
// so comes before one at the same rank that may have led to it, and that before one at another
// rank; of equals the later.
std::optional<std::size_t> fault_behind(const std::vector<InjectedFault>& faults,
                                        const Verdict& verdict);

// Whether this is how a worker ends that was struck so.
bool is_end_by(const Injection& injection, const ExitStatus& status);

}  // namespace ddp::core
