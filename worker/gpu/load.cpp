#include "worker/gpu/load.hpp"

#include "common/env_names.hpp"
#include "worker/base/failure.hpp"
#include "worker/gpu/diagnosis.hpp"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>
#include <system_error>

namespace ddp::worker {
namespace {

struct Found {
  const GpuBackend* backend = nullptr;
  int devices = 0;
  int nccl = 0;         // its version
  bool driver = false;  // there is one, whether it can be used or not
  std::string why;      // without a backend
};

std::string path_of(void* library) {
  link_map* map = nullptr;
  if (::dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return "libnccl.so.2";
  return map->l_name;
}

// Calls `name`, a function of `library` that stores a version: cuDriverGetVersion, ncclGetVersion.
// 0 where there is no such function, or it fails.
int ask_version(void* library, const char* name) {
  const auto ask = reinterpret_cast<int (*)(int*)>(::dlsym(library, name));
  int version = 0;
  return ask != nullptr && ask(&version) == 0 ? version : 0;
}

std::string why_not_loaded(const std::string& loader_error, const GetEnv& get_env) {
  if (loader_error.find("undefined symbol: nccl") != std::string::npos) {
    void* const nccl = ::dlopen("libnccl.so.2", RTLD_LAZY | RTLD_LOCAL);
    const int version = nccl == nullptr ? 0 : ask_version(nccl, "ncclGetVersion");
    if (version != 0) return old_nccl(loader_error, version, path_of(nccl));
  }
  return not_loaded(loader_error, get_env);
}

void load_part(const std::string& path, void* driver, const GetEnv& get_env, Found& found) {
  // Never closed: the CUDA runtime lives as long as the process.
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    found.why = why_not_loaded(::dlerror(), get_env);
    return;
  }
  const auto get = reinterpret_cast<GetGpuBackend>(::dlsym(library, kGpuBackendSymbol));
  const GpuBackend* const backend = get == nullptr ? nullptr : get(kGpuBackendVersion);
  if (backend == nullptr) {
    found.why = path + " is of another build";
    return;
  }
  const GpuVersions versions = backend->versions();
  found.nccl = versions.nccl;
  const int driver_version = ask_version(driver, "cuDriverGetVersion");
  if (driver_version != 0) found.why = old_driver(driver_version, versions.toolkit);
  if (!found.why.empty()) return;
  std::string error;
  found.devices = backend->device_count(error);
  if (found.devices == 0) {
    found.why = no_device(error, get_env);
    return;
  }
  found.backend = backend;
}

Found find_gpu(const GetEnv& get_env) {
  Found found;
  // Without a driver it is not worth loading half a gigabyte of cuBLAS and NCCL.
  void* const driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  const std::string driver_error = driver == nullptr ? ::dlerror() : "";
  found.driver = driver != nullptr || !is_missing(driver_error, "libcuda.so.1");
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    found.why = "/proc/self/exe: " + error.message();
    return found;
  }
  const std::string path = program.parent_path() / "libddp_worker_cuda.so";
  if (!std::filesystem::exists(path, error)) {
    found.why = "this worker was built without CUDA: there is no " + path;
  } else if (driver == nullptr) {
    found.why = no_driver(driver_error, get_env);
  } else {
    load_part(path, driver, get_env, found);
  }
  return found;
}

}  // namespace

Gpu choose_gpu(Backend wanted, DataType type, const WorkerEnv& env, const GetEnv& get_env) {
  Found found;
  if (wanted != Backend::gloo) found = find_gpu(get_env);
  if (found.backend == nullptr) {
    if (wanted == Backend::nccl) throw UsageError("--backend nccl is not available: " + found.why);
    if (type == DataType::bf16)
      throw UsageError("--dtype bf16 needs a GPU" + (found.why.empty() ? "" : ": " + found.why));
    if (found.driver && env.rank == 0 && !devices_are_hidden(get_env))
      complain(env.rank, "training on the CPU (as with --backend gloo): " + found.why);
    return {};
  }
  const int device = choose_device(env, found.devices, devices_are_shared(get_env));
  const std::string why = sharing_unknown(env, found.devices, found.nccl, get_env);
  if (!why.empty()) throw UsageError(why);
  return {found.backend, device};
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
