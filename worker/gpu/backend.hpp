// Room: worker/gpu. The GPU's operators and NCCL, in a library that is loaded where there is a
// device.
// Includes: common, common/client, worker/base, worker/comm, worker/model. Included by: worker,
// worker/cli.
//
// The GPU part of the worker: a separate shared library (libddp_worker_cuda.so) next to the
// program, loaded when it is needed. So a worker that was built with CUDA starts and trains on the
// CPU where there is no driver, cuBLAS or NCCL, and a CPU run does not spend the time to load them.
#pragma once

#include "worker/comm/communicator.hpp"
#include "worker/model/engine.hpp"
#include "worker/model/layout.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace ddp::worker {

// What --backend asks for.
enum class Backend { automatic, nccl, gloo };
enum class DataType { fp32, bf16 };

struct GpuRequest {
  int device = 0;
  int rank = 0;
  int world_size = 1;
  ModelShape shape;
  std::size_t max_batch = 0;
  std::uint64_t seed = 0;
  DataType compute = DataType::fp32;     // bf16: matrix products in bf16, everything else in fp32
  std::chrono::milliseconds timeout{0};  // for building the communicator, and for each collective
  // Returns rank 0's value on every rank: rank 0 passes it, the others pass an empty text.
  std::function<std::string(const std::string&)> share;
  // The first rank that has left the group ("rank 2"); empty while none has. Used until the
  // communicator is destroyed, and share() no more after its first call.
  std::function<std::string()> leaver;
};

struct GpuParts {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Communicator> communicator;  // null in a world of one
};

// As CUDA and NCCL number their versions; 0 where one does not say.
struct GpuVersions {
  int toolkit = 0;  // the CUDA runtime that is part of the library
  int nccl = 0;     // the NCCL that was loaded
};

class GpuBackend {
 public:
  virtual ~GpuBackend() = default;
  // Works without a driver.
  virtual GpuVersions versions() const = 0;
  // Returns 0 and sets `why`, CUDA's reason, where there is no driver or no device.
  virtual int device_count(std::string& why) const = 0;
  // Throws Failure or CommError.
  virtual GpuParts open(const GpuRequest& request) const = 0;
};

// The only symbol of the library. Both sides are built from the same sources at the same time;
// kGpuBackendVersion rejects a library of another build.
inline constexpr int kGpuBackendVersion = 3;
inline constexpr const char* kGpuBackendSymbol = "ddp_worker_gpu_backend";
using GetGpuBackend = const GpuBackend* (*)(int version);

}  // namespace ddp::worker
