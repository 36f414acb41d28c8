// What must hold after any event in any phase.
#pragma once

#include "tests/e2e/containment_case.hpp"

namespace ddp::test {

// Runs the case, waits for the end, and checks what is guaranteed: the exit code; at the
// launcher's exit no descendant, not even a zombie, no file, no cgroup, and a free port; and that
// this end comes within the grace period and 100 ms after the event (the latter times
// DDP_TEST_TIMEOUT_SCALE and the machine's load; the best of three attempts counts).
void check_contained(const Case& one);

}  // namespace ddp::test
