// Chooses the kernels of OpenBLAS for this machine.
#pragma once

#include <string>

namespace ddp::worker {

// For the log: "SkylakeX, 1 thread".
std::string describe_blas();

}  // namespace ddp::worker
