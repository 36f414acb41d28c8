// The threads of a kernel as fibers: a block after the other, in an order that the seed shuffles.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>

namespace ddp::gpu_sim {

// Calls `thread` once for each thread of grid x block, on the calling system thread. Ends the
// process where some threads of a block wait at a barrier and others have returned.
void run_grid(dim3 grid, dim3 block, const std::function<void()>& thread, std::uint64_t seed);

}  // namespace ddp::gpu_sim
