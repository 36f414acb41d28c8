// Loads the GPU part of the worker, or chooses the CPU.
#pragma once

#include "common/client/worker_env.hpp"
#include "worker/gpu/backend.hpp"

#include <string>

namespace ddp::worker {

// Loads the library next to the program. Returns nullptr and sets `why` where that fails.
const GpuBackend* load_gpu_backend(std::string& why);

// The backend for --backend; nullptr for the CPU. `auto` uses the GPU if there is a device. Throws
// UsageError where nccl is asked for and not available.
const GpuBackend* choose_backend(Backend wanted, DataType type);

// The device for LOCAL_RANK. Throws UsageError where there are too few devices, unless ranks share
// them: then it is LOCAL_RANK modulo their number.
int choose_device(const WorkerEnv& env, int devices, bool shared_devices);
// Whether ranks share devices: NCCL_HOSTID or NCCL_MULTI_RANK_GPU_ENABLE is set, as by ddp-launch
// --oversubscribe.
bool devices_are_shared(const GetEnv& get_env);

}  // namespace ddp::worker
