// The GPU side of the worker: a shared library of its own (libddp_worker_cuda.so) beside the
// program, loaded when it is wanted. So a worker that was built with CUDA starts, and trains on the
// CPU, where there is no driver, no cuBLAS and no NCCL; and a CPU run does not pay for loading
// them.
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
  // Hands rank 0's value to every rank: rank 0 passes it, the others pass nothing and get it.
  std::function<std::string(const std::string&)> share;
};

struct GpuParts {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Communicator> communicator;  // null in a world of one
};

class GpuBackend {
 public:
  virtual ~GpuBackend() = default;
  // 0, and why, where there is no driver or no device.
  virtual int device_count(std::string& why) const = 0;
  // Throws Failure or CommError.
  virtual GpuParts open(const GpuRequest& request) const = 0;
};

// The library's one symbol. Both sides are built from the same sources at the same time; a library
// of another build is refused by kGpuBackendVersion.
inline constexpr int kGpuBackendVersion = 2;
inline constexpr const char* kGpuBackendSymbol = "ddp_worker_gpu_backend";
using GetGpuBackend = const GpuBackend* (*)(int version);

}  // namespace ddp::worker
