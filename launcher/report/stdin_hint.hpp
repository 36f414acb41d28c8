// Tells a rank that failed because it has no standard input: every rank but that of --stdin reads
// /dev/null.
#pragma once

#include <string>
#include <vector>

namespace ddp {

// A sentence for the verdict if `tail`, a failed rank's last lines, ends as a Python program does
// that asked for input and found none: input(), or a debugger (breakpoint()). Else empty.
std::string stdin_hint(const std::vector<std::string>& tail, int rank);

}  // namespace ddp
