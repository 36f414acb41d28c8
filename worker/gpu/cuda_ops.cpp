#include "worker/gpu/cuda_ops.hpp"

#include "worker/gpu/kernels.hpp"
#include "worker/model/layout.hpp"

#include <algorithm>

namespace ddp::worker::gpu {
namespace {

// cuBLAS gives the same bits in every run when each handle has its own workspace and one stream.
// This is the size that its documentation recommends for Hopper.
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

void check_blas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Failure(std::string("cuBLAS: ") + what + ": " + cublasGetStatusString(status));
}

int size(std::size_t n) { return static_cast<int>(n); }

}  // namespace

CudaOps::CudaOps(cudaStream_t stream, DataType compute, std::size_t largest, std::size_t embed,
                 std::size_t max_batch)
    : stream_(stream),
      compute_(compute),
      left_(compute == DataType::bf16 ? largest : 0),
      right_(compute == DataType::bf16 ? largest : 0),
      row_loss_(max_batch),
      scatter_partial_(kScatterChunks * kVocabulary * embed),
      norm_partial_(kNormBlocks),
      norm_(1),
      loss_(1),
      workspace_(kWorkspaceBytes) {
  check_blas(cublasCreate(&blas_), "creating a handle");
  check_blas(cublasSetStream(blas_, stream), "setting the stream");
  check_blas(cublasSetWorkspace(blas_, workspace_.data(), workspace_.size()),
             "setting the workspace");
}

CudaOps::~CudaOps() {
  if (blas_ != nullptr) cublasDestroy(blas_);
}

// Pageable memory is staged before an asynchronous copy to the device returns.
void CudaOps::copy_in(std::uint8_t* to, std::span<const std::uint8_t> from) {
  if (from.empty()) return;
  check(cudaMemcpyAsync(to, from.data(), from.size_bytes(), cudaMemcpyHostToDevice, stream_),
        "copying a batch to the device");
}

void CudaOps::copy_in(float* to, std::span<const float> from) {
  check(cudaMemcpyAsync(to, from.data(), from.size_bytes(), cudaMemcpyHostToDevice, stream_),
        "copying to the device");
}

void CudaOps::copy_out(std::span<float> to, const float* from) {
  check(cudaMemcpyAsync(to.data(), from, to.size_bytes(), cudaMemcpyDeviceToHost, stream_),
        "copying from the device");
  check(cudaStreamSynchronize(stream_), "waiting for the device");
}

void CudaOps::gemm(cublasOperation_t ta, cublasOperation_t tb, std::size_t m, std::size_t n,
                   std::size_t k, const float* a, std::size_t lda, const float* b, std::size_t ldb,
                   float beta, float* c) {
  const float one = 1;
  const void* left = a;
  const void* right = b;
  cudaDataType type = CUDA_R_32F;
  if (compute_ == DataType::bf16) {
    // Each operand is a whole matrix without gaps: m*k and k*n elements.
    to_bf16(stream_, a, left_.data(), m * k);
    to_bf16(stream_, b, right_.data(), k * n);
    left = left_.data();
    right = right_.data();
    type = CUDA_R_16BF;
  }
  check_blas(cublasGemmEx(blas_, ta, tb, size(m), size(n), size(k), &one, left, type, size(lda),
                          right, type, size(ldb), &beta, c, CUDA_R_32F, size(m), CUBLAS_COMPUTE_32F,
                          CUBLAS_GEMM_DEFAULT),
             "a matrix product");
}

// cuBLAS is column-major and sees a row-major matrix as its transpose: y^T = w x^T and so on.
void CudaOps::linear(const float* x, const float* w, float* y, std::size_t n, std::size_t in,
                     std::size_t out) {
  if (n > 0) gemm(CUBLAS_OP_T, CUBLAS_OP_N, out, n, in, w, in, x, in, 0, y);
}

void CudaOps::linear_input_gradient(const float* dy, const float* w, float* dx, std::size_t n,
                                    std::size_t in, std::size_t out) {
  if (n > 0) gemm(CUBLAS_OP_N, CUBLAS_OP_N, in, n, out, w, in, dy, out, 0, dx);
}

void CudaOps::linear_weight_gradient(const float* dy, const float* x, float* dw, bool accumulate,
                                     std::size_t n, std::size_t in, std::size_t out) {
  if (n > 0) {
    gemm(CUBLAS_OP_N, CUBLAS_OP_T, in, out, n, x, in, dy, out, accumulate ? 1.0f : 0.0f, dw);
  } else if (!accumulate) {
    zero(dw, in * out);
  }
}

void CudaOps::bias_gelu(float* z, const float* bias, float* activation, std::size_t n,
                        std::size_t width) {
  gpu::bias_gelu(stream_, z, bias, activation, n, width);
}

void CudaOps::gelu_backward(float* d, const float* derivative, float* bias_gradient,
                            bool accumulate, std::size_t n, std::size_t width) {
  gpu::gelu_backward(stream_, d, derivative, bias_gradient, accumulate, n, width);
}

void CudaOps::softmax_cross_entropy(float* logits, const float* bias, const std::uint8_t* targets,
                                    float scale, float* bias_gradient, float* loss, bool accumulate,
                                    std::size_t n) {
  softmax(stream_, logits, bias, targets, scale, true, row_loss_.data(), n);
  add_columns(stream_, logits, bias_gradient, accumulate, n, kVocabulary);
  sum_into(stream_, row_loss_.data(), n, scale, accumulate, loss);
}

double CudaOps::softmax_loss(float* logits, const float* bias, const std::uint8_t* targets,
                             std::size_t n) {
  softmax(stream_, logits, bias, targets, 1, false, row_loss_.data(), n);
  sum_into(stream_, row_loss_.data(), n, 1, false, loss_.data());
  float loss = 0;
  copy_out({&loss, 1}, loss_.data());
  return static_cast<double>(loss);
}

void CudaOps::gather(const float* embedding, const std::uint8_t* bytes, float* out, std::size_t n,
                     std::size_t context, std::size_t embed) {
  gpu::gather(stream_, embedding, bytes, out, n * context, embed);
}

void CudaOps::scatter_add(const float* d, const std::uint8_t* bytes, float* gradient, std::size_t n,
                          std::size_t context, std::size_t embed) {
  gpu::scatter_add(stream_, d, bytes, gradient, scatter_partial_.data(), n * context, embed);
}

void CudaOps::zero(float* values, std::size_t n) {
  check(cudaMemsetAsync(values, 0, n * sizeof(float), stream_), "clearing memory");
}

void CudaOps::adamw(float* p, const float* g, float* m, float* v, std::size_t n,
                    const AdamWStep& step) {
  gpu::adamw(stream_, p, g, m, v, n, step);
}

double CudaOps::squared_norm(const float* values, std::size_t n) {
  gpu::squared_norm(stream_, values, n, norm_partial_.data(), norm_.data());
  double norm = 0;
  check(cudaMemcpyAsync(&norm, norm_.data(), sizeof norm, cudaMemcpyDeviceToHost, stream_),
        "reading the gradient's norm");
  check(cudaStreamSynchronize(stream_), "reading the gradient's norm");
  return norm;
}

}  // namespace ddp::worker::gpu
