#include "worker/gpu/diagnosis.hpp"

#include "common/env_names.hpp"

#include <string_view>

namespace ddp::worker {
namespace {

// The first NCCL that reads NCCL_MULTI_RANK_GPU_ENABLE.
constexpr int kMultiRankNccl = 23000;
// The first NCCL with non-blocking communicators (ncclCommInitRankConfig), which the worker uses.
constexpr const char* kOldestNccl = "2.14";

constexpr std::string_view kNotThere = ": cannot open shared object file: No such file";

std::string variable(const char* name, const GetEnv& get_env) {
  const char* const value = get_env(name);
  return std::string(name) +
         (value == nullptr ? " is not set" : " is '" + std::string(value) + "'");
}

std::string searched(const GetEnv& get_env) {
  return "neither in LD_LIBRARY_PATH nor in the loader's directories (" +
         variable(env::kLdLibraryPath, get_env) + ")";
}

}  // namespace

std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string nccl_version_text(int version) {
  const int major = version < 10000 ? 1000 : 10000;
  return std::to_string(version / major) + "." + std::to_string(version % major / 100) + "." +
         std::to_string(version % 100);
}

bool is_missing(const std::string& loader_error, const std::string& library) {
  return loader_error.starts_with(library + std::string(kNotThere));
}

std::string no_driver(const std::string& loader_error, const GetEnv& get_env) {
  if (!is_missing(loader_error, "libcuda.so.1"))
    return "the NVIDIA driver cannot be used: " + loader_error;
  return "there is no NVIDIA driver: libcuda.so.1 is " + searched(get_env) +
         "; install the driver, or give the container its GPUs";
}

std::string not_loaded(const std::string& loader_error, const GetEnv& get_env) {
  const std::string library = loader_error.substr(0, loader_error.find(':'));
  if (!is_missing(loader_error, library)) return loader_error;
  return library + " is " + searched(get_env) +
         "; install it, or add its directory to LD_LIBRARY_PATH: pip's packages have it in "
         "site-packages/nvidia/*/lib";
}

std::string old_nccl(const std::string& loader_error, int version, const std::string& file) {
  return file + " is NCCL " + nccl_version_text(version) + ", expected " + kOldestNccl +
         " or later: " + loader_error;
}

std::string old_driver(int driver, int toolkit) {
  if (driver / 1000 >= toolkit / 1000) return "";
  return "the NVIDIA driver is too old: it has CUDA " + cuda_version_text(driver) +
         ", and this worker, which was built with CUDA " + cuda_version_text(toolkit) +
         ", needs CUDA " + cuda_version_text(toolkit / 1000 * 1000) + " or later of it";
}

std::string no_device(const std::string& cuda_error, const GetEnv& get_env) {
  return "the NVIDIA driver shows no device (" + cuda_error + "); " +
         variable(env::kCudaVisibleDevices, get_env) + ", and nvidia-smi -L lists what there is";
}

bool devices_are_hidden(const GetEnv& get_env) {
  const char* const value = get_env(env::kCudaVisibleDevices);
  return value != nullptr && (std::string_view(value).empty() || std::string_view(value) == "-1");
}

std::string sharing_unknown(const WorkerEnv& env, int devices, int nccl, const GetEnv& get_env) {
  if (env.local_world_size <= devices || nccl == 0 || nccl >= kMultiRankNccl) return "";
  if (get_env(env::kNcclMultiRankGpu) == nullptr || get_env(env::kNcclHostId) != nullptr) return "";
  return variable(env::kNcclMultiRankGpu, get_env) + ", which NCCL reads from " +
         nccl_version_text(kMultiRankNccl) + " on, and this is NCCL " + nccl_version_text(nccl) +
         ": set NCCL_HOSTID to a different value for each rank, or use ddp-launch --oversubscribe";
}

}  // namespace ddp::worker
