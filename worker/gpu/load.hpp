// Finds the GPU side of the worker and chooses between it and the CPU.
#pragma once

#include "common/worker_env.hpp"
#include "worker/gpu/backend.hpp"
#include "worker/options.hpp"

#include <string>

namespace ddp::worker {

// Loads the library beside the program; nullptr and why where there is none or it cannot be loaded.
const GpuBackend* load_gpu_backend(std::string& why);

// The backend that --backend asks for: nullptr for the CPU. `auto` takes the GPU where there is a
// device. Throws UsageError where nccl is asked for and cannot be had.
const GpuBackend* choose_backend(Backend wanted, DataType type);

// The device of LOCAL_RANK. Throws UsageError where there are fewer devices than ranks here, unless
// NCCL_HOSTID tells that several ranks are meant to share one.
int choose_device(const WorkerEnv& env, int devices, bool shared_devices);

}  // namespace ddp::worker
