// Loads the GPU part of the worker, or chooses the CPU.
#pragma once

#include "common/client/worker_env.hpp"
#include "worker/gpu/backend.hpp"

#include <string>

namespace ddp::worker {

// What --backend came to.
struct Gpu {
  const GpuBackend* backend = nullptr;  // nullptr: the CPU
  int device = 0;
};

// Loads the library next to the program. `auto` uses the GPU if there is a device, else the CPU,
// and rank 0 says why on stderr where there is a driver all the same, unless CUDA_VISIBLE_DEVICES
// hides every device. Throws UsageError where nccl or bf16 is asked for and not available, where
// there are too few devices for the ranks, and where NCCL is too old for how they share them.
Gpu choose_gpu(Backend wanted, DataType type, const WorkerEnv& env, const GetEnv& get_env);

// The device for LOCAL_RANK. Throws UsageError where there are too few devices, unless ranks share
// them: then it is LOCAL_RANK modulo their number.
int choose_device(const WorkerEnv& env, int devices, bool shared_devices);
// Whether ranks share devices: NCCL_HOSTID or NCCL_MULTI_RANK_GPU_ENABLE is set, as by ddp-launch
// --oversubscribe.
bool devices_are_shared(const GetEnv& get_env);

}  // namespace ddp::worker
