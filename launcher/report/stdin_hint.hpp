// Recognises a rank that failed because it has no standard input: every rank but that of --stdin
// reads /dev/null.
#pragma once

#include <string>
#include <vector>

namespace ddp {

// A line for the failure report if `tail`, the last lines of a failed rank, ends like that of a
// Python program that read no input: input(), or a debugger (breakpoint()). Otherwise empty.
std::string stdin_hint(const std::vector<std::string>& tail, int rank);

}  // namespace ddp
