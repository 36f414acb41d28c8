// Which of OpenBLAS's kernels this machine is served with.
#pragma once

#include <string>

namespace ddp::worker {

// For the log: "SkylakeX, 1 thread".
std::string describe_blas();

}  // namespace ddp::worker
