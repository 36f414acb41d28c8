// The only symbol of the library, and its implementation.
#include "worker/gpu/backend.hpp"
#include "worker/gpu/cuda_ops.hpp"
#include "worker/gpu/nccl_communicator.hpp"
#include "worker/model/model_engine.hpp"

#include <nccl.h>

#include <algorithm>
#include <string>

namespace ddp::worker::gpu {
namespace {

// CudaOps and its stream, which must outlive it.
struct StreamHolder {
  Stream stream;
};
class OwnStreamOps : private StreamHolder, public CudaOps {
 public:
  OwnStreamOps(DataType compute, std::size_t largest, std::size_t embed, std::size_t max_batch)
      : CudaOps(StreamHolder::stream.get(), compute, largest, embed, max_batch) {}
  cudaStream_t stream() const { return StreamHolder::stream.get(); }
};

// The most elements of any operand of a matrix product.
std::size_t largest_operand(const ModelShape& s, std::size_t max_batch) {
  const auto input = static_cast<std::size_t>(s.context) * static_cast<std::size_t>(s.embed);
  const auto hidden = static_cast<std::size_t>(s.hidden);
  const std::size_t widest = std::max({input, hidden, std::size_t{kVocabulary}});
  return std::max(max_batch, std::max(hidden, std::size_t{kVocabulary})) * widest;
}

class CudaBackend final : public GpuBackend {
 public:
  GpuVersions versions() const override {
    GpuVersions found;
    if (cudaRuntimeGetVersion(&found.toolkit) != cudaSuccess) found.toolkit = 0;
    if (ncclGetVersion(&found.nccl) != ncclSuccess) found.nccl = 0;
    return found;
  }

  int device_count(std::string& why) const override {
    int count = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaSuccess && count > 0) return count;
    why = cudaGetErrorString(code == cudaSuccess ? cudaErrorNoDevice : code);
    return 0;
  }

  GpuParts open(const GpuRequest& request) const override {
    check(cudaSetDevice(request.device), "cudaSetDevice");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, request.device), "cudaGetDeviceProperties");
    const auto embed = static_cast<std::size_t>(request.shape.embed);
    auto ops = std::make_unique<OwnStreamOps>(request.compute,
                                              largest_operand(request.shape, request.max_batch),
                                              embed, request.max_batch);
    const cudaStream_t stream = ops->stream();
    GpuParts parts;
    parts.engine = std::make_unique<ModelEngine<OwnStreamOps>>(
        std::move(ops),
        properties.name + std::string(request.compute == DataType::bf16 ? ", bf16" : ", fp32"),
        request.shape, request.max_batch, request.seed);
    if (request.world_size > 1) parts.communicator = make_nccl_communicator(request, stream);
    return parts;
  }
};

}  // namespace
}  // namespace ddp::worker::gpu

extern "C" __attribute__((visibility("default"))) const ddp::worker::GpuBackend*
ddp_worker_gpu_backend(int version) {
  static const ddp::worker::gpu::CudaBackend backend;
  return version == ddp::worker::kGpuBackendVersion ? &backend : nullptr;
}
