#include "worker/gpu/load.hpp"

#include "common/env_names.hpp"
#include "worker/base/failure.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

namespace ddp::worker {

const GpuBackend* load_gpu_backend(std::string& why) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    why = "/proc/self/exe: " + error.message();
    return nullptr;
  }
  const std::string path = program.parent_path() / "libddp_worker_cuda.so";
  if (!std::filesystem::exists(path, error)) {
    why = "this worker was built without CUDA";
    return nullptr;
  }
  // Without a driver it is not worth loading half a gigabyte of cuBLAS and NCCL.
  if (::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    why = "this machine has no NVIDIA driver (libcuda.so.1)";
    return nullptr;
  }
  // Never closed: the CUDA runtime lives as long as the process.
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    why = ::dlerror();
    return nullptr;
  }
  const auto get = reinterpret_cast<GetGpuBackend>(::dlsym(library, kGpuBackendSymbol));
  const GpuBackend* const backend = get == nullptr ? nullptr : get(kGpuBackendVersion);
  if (backend == nullptr) why = path + " is of another build";
  return backend;
}

const GpuBackend* choose_backend(Backend wanted, DataType type) {
  std::string why;
  const GpuBackend* backend = nullptr;
  if (wanted != Backend::gloo) backend = load_gpu_backend(why);
  if (backend != nullptr && backend->device_count(why) == 0) backend = nullptr;
  if (backend == nullptr && wanted == Backend::nccl)
    throw UsageError("--backend nccl is not available: " + why);
  if (backend == nullptr && type == DataType::bf16)
    throw UsageError("--dtype bf16 needs a GPU" + (why.empty() ? std::string() : ": " + why));
  return backend;
}

bool devices_are_shared(const GetEnv& get_env) {
  return get_env(env::kNcclHostId) != nullptr || get_env(env::kNcclMultiRankGpu) != nullptr;
}

int choose_device(const WorkerEnv& env, int devices, bool shared_devices) {
  if (env.local_rank < devices) return env.local_rank;
  if (shared_devices) return env.local_rank % devices;
  throw UsageError("LOCAL_RANK is " + std::to_string(env.local_rank) + ": expected 0 to " +
                   std::to_string(devices - 1) + ", because there " +
                   (devices == 1 ? "is 1 device" : "are " + std::to_string(devices) + " devices") +
                   " here; start as many ranks as devices, or ddp-launch with --oversubscribe");
}

}  // namespace ddp::worker
