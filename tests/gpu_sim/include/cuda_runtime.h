// What nvcc adds to the runtime's interface: the words of a kernel and its launch, for a C++
// compiler.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
// A block runs on one system thread, and one block at a time.
#define __shared__ static thread_local

// Of the thread that runs. __syncthreads() changes them, as it runs other threads meanwhile.
extern thread_local uint3 threadIdx;
extern thread_local uint3 blockIdx;
extern thread_local dim3 blockDim;
extern thread_local dim3 gridDim;

void __syncthreads();

namespace ddp::gpu_sim {

// The address at which a kernel or a copy sees what `pointer` means; host pointers as they are.
void* visible_to_device(const void* pointer);

// Queues a launch whose threads each call `thread`.
cudaError_t queue_kernel(const cudaLaunchConfig_t& config, std::function<void()> thread);

template <class T>
T visible_argument(T argument) {
  if constexpr (std::is_pointer_v<T>) {
    return static_cast<T>(visible_to_device(argument));
  } else {
    static_assert(std::is_trivially_copyable_v<T>);
    return argument;
  }
}

}  // namespace ddp::gpu_sim

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  return [&](Parameters... coerced) {
    auto thread = [kernel, ... visible = ddp::gpu_sim::visible_argument(coerced)] {
      kernel(visible...);
    };
    return ddp::gpu_sim::queue_kernel(*config, std::move(thread));
  }(std::forward<Arguments>(arguments)...);
}
