// The devices of this process: which is current, and what went wrong.
#pragma once

#include <cuda_runtime_api.h>

namespace ddp::gpu_sim {

// The program's index of the calling thread's device.
int current_device();
void set_current_device(int device);

// An error that every later call of this process returns, as CUDA's do after a device has failed.
cudaError_t sticky_error();
void set_sticky_error(cudaError_t error);

// Counts a kernel. True where the device is lost with it (DDP_SIM_LOSE_DEVICE).
bool loses_device();

}  // namespace ddp::gpu_sim
