// The elementwise operators of the model on the device, with the meanings of
// worker/model/kernels.hpp. Every sum has a fixed order (no floating-point atomics), so that a run
// gives the same bits each time. All are queued on `stream` and return at once.
#pragma once

#include "worker/model/kernels.hpp"

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace ddp::worker::gpu {

void bias_gelu(cudaStream_t stream, float* z, const float* bias, float* activation, std::size_t n,
               std::size_t width);
void gelu_backward(cudaStream_t stream, float* d, const float* derivative, float* bias_gradient,
                   bool accumulate, std::size_t n, std::size_t width);
// row_loss[n] = -log softmax[target] of each row. The logits become scaled gradients or, without
// `with_gradient`, probabilities.
void softmax(cudaStream_t stream, float* logits, const float* bias, const std::uint8_t* targets,
             float scale, bool with_gradient, float* row_loss, std::size_t n);
void add_columns(cudaStream_t stream, const float* d, float* sums, bool accumulate, std::size_t n,
                 std::size_t width);
// *out (+)= scale * sum(values).
void sum_into(cudaStream_t stream, const float* values, std::size_t n, float scale, bool accumulate,
              float* out);
void gather(cudaStream_t stream, const float* embedding, const std::uint8_t* bytes, float* out,
            std::size_t count, std::size_t embed);
// `partial` has room for kScatterChunks * 256 * embed.
inline constexpr std::size_t kScatterChunks = 64;
void scatter_add(cudaStream_t stream, const float* d, const std::uint8_t* bytes, float* gradient,
                 float* partial, std::size_t count, std::size_t embed);
void adamw(cudaStream_t stream, float* p, const float* g, float* m, float* v, std::size_t n,
           const AdamWStep& step);
// *out = the sum of squares; `partial` has room for kNormBlocks.
inline constexpr std::size_t kNormBlocks = 1024;
void squared_norm(cudaStream_t stream, const float* values, std::size_t n, double* partial,
                  double* out);
void to_bf16(cudaStream_t stream, const float* from, __nv_bfloat16* to, std::size_t n);

}  // namespace ddp::worker::gpu
