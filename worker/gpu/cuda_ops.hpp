// The operators of the model on a GPU: cuBLAS for the products, kernels.cu for the rest. Same
// interface as CpuOps, for Model<CudaOps>.
#pragma once

#include "worker/gpu/backend.hpp"
#include "worker/gpu/cuda_support.hpp"
#include "worker/model/kernels.hpp"

#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ddp::worker::gpu {

class CudaOps {
 public:
  using Scalar = float;
  using Array = DeviceArray<float>;
  using Bytes = DeviceArray<std::uint8_t>;

  // All work is queued on `stream`. `largest` is the most elements of an operand of a product,
  // `embed` the width of the embedding, `max_batch` the most samples at a time.
  CudaOps(cudaStream_t stream, DataType compute, std::size_t largest, std::size_t embed,
          std::size_t max_batch);
  ~CudaOps();
  CudaOps(const CudaOps&) = delete;
  CudaOps& operator=(const CudaOps&) = delete;

  Array allocate(std::size_t size) { return Array(size); }
  Bytes allocate_bytes(std::size_t size) { return Bytes(size); }
  // Copies to and from host memory. `from` may be changed as soon as copy_in returns; copy_out
  // waits for the device.
  void copy_in(std::uint8_t* to, std::span<const std::uint8_t> from);
  void copy_in(float* to, std::span<const float> from);
  void copy_out(std::span<float> to, const float* from);

  void linear(const float* x, const float* w, float* y, std::size_t n, std::size_t in,
              std::size_t out);
  void linear_input_gradient(const float* dy, const float* w, float* dx, std::size_t n,
                             std::size_t in, std::size_t out);
  void linear_weight_gradient(const float* dy, const float* x, float* dw, bool accumulate,
                              std::size_t n, std::size_t in, std::size_t out);
  void bias_gelu(float* z, const float* bias, float* activation, std::size_t n, std::size_t width);
  void gelu_backward(float* d, const float* derivative, float* bias_gradient, bool accumulate,
                     std::size_t n, std::size_t width);
  void softmax_cross_entropy(float* logits, const float* bias, const std::uint8_t* targets,
                             float scale, float* bias_gradient, float* loss, bool accumulate,
                             std::size_t n);
  double softmax_loss(float* logits, const float* bias, const std::uint8_t* targets, std::size_t n);
  void gather(const float* embedding, const std::uint8_t* bytes, float* out, std::size_t n,
              std::size_t context, std::size_t embed);
  void scatter_add(const float* d, const std::uint8_t* bytes, float* gradient, std::size_t n,
                   std::size_t context, std::size_t embed);
  void zero(float* values, std::size_t n);
  void adamw(float* p, const float* g, float* m, float* v, std::size_t n, const AdamWStep& step);
  double squared_norm(const float* values, std::size_t n);

 private:
  // c (column-major m x n) = op(a) op(b) + beta c, the operands in the compute type.
  void gemm(cublasOperation_t ta, cublasOperation_t tb, std::size_t m, std::size_t n, std::size_t k,
            const float* a, std::size_t lda, const float* b, std::size_t ldb, float beta, float* c);

  cudaStream_t stream_;
  cublasHandle_t blas_ = nullptr;
  DataType compute_;
  DeviceArray<__nv_bfloat16> left_;  // operands in bf16
  DeviceArray<__nv_bfloat16> right_;
  DeviceArray<float> row_loss_;
  DeviceArray<float> scatter_partial_;
  DeviceArray<double> norm_partial_;
  DeviceArray<double> norm_;
  DeviceArray<float> loss_;
  DeviceArray<std::byte> workspace_;
};

}  // namespace ddp::worker::gpu
