// Finds the GPU side of the worker and chooses between it and the CPU.
#pragma once

#include "common/client/worker_env.hpp"
#include "worker/gpu/backend.hpp"

#include <string>

namespace ddp::worker {

// Loads the library beside the program; nullptr and why where there is none or it cannot be loaded.
const GpuBackend* load_gpu_backend(std::string& why);

// The backend that --backend asks for: nullptr for the CPU. `auto` takes the GPU where there is a
// device. Throws UsageError where nccl is asked for and cannot be had.
const GpuBackend* choose_backend(Backend wanted, DataType type);

// The device of LOCAL_RANK. Throws UsageError where there are fewer devices than that, unless ranks
// are meant to share them: then LOCAL_RANK modulo their number.
int choose_device(const WorkerEnv& env, int devices, bool shared_devices);
// Whether they are, which is what ddp-launch --oversubscribe tells NCCL: NCCL_HOSTID or
// NCCL_MULTI_RANK_GPU_ENABLE is set.
bool devices_are_shared(const GetEnv& get_env);

}  // namespace ddp::worker
