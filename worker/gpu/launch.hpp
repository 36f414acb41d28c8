// The launch of a kernel: a function call, so that the sources of this folder are C++ without
// nvcc's <<<…>>>.
#pragma once

#include "worker/gpu/cuda_support.hpp"

#include <cuda_runtime.h>

#include <utility>

namespace ddp::worker::gpu {

// Queues grid x block threads of `kernel` on `stream`. `name` is for the message of a Failure.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
            cudaStream_t stream, Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  check(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), name);
}

}  // namespace ddp::worker::gpu
