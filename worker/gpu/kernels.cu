#include "worker/gpu/kernels.hpp"

#include "worker/gpu/launch.hpp"
#include "worker/model/vocabulary.hpp"

#include <cmath>

namespace ddp::worker::gpu {
namespace {

constexpr unsigned kThreads = 256;

// Enough blocks for n elements, up to a bound: the kernels loop over the rest.
unsigned blocks_for(std::size_t n) {
  constexpr std::size_t kMost = 65535;
  const std::size_t blocks = (n + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < kMost ? blocks : kMost);
}

__device__ std::size_t first_index() { return std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ std::size_t stride() { return std::size_t{gridDim.x} * blockDim.x; }

// The sum over the 256 threads of a block, in a fixed order. Every thread gets the same result.
template <class T, class Combine>
__device__ T block_reduce(T value, Combine combine) {
  __shared__ T shared[kThreads];
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half)
      shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  const T result = shared[0];
  __syncthreads();
  return result;
}

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Largest {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

__global__ void bias_gelu_kernel(float* z, const float* bias, float* activation, std::size_t n,
                                 std::size_t width) {
  constexpr float kA = 1.5957691216057308f;  // 2 sqrt(2/pi)
  constexpr float kB = 1.5957691216057308f * 0.044715f;
  for (std::size_t i = first_index(); i < n * width; i += stride()) {
    const float x = z[i] + bias[i % width];
    const float square = x * x;
    const float s = 1.0f / (1.0f + expf(-x * (kA + kB * square)));
    activation[i] = x * s;
    z[i] = s + x * s * (1.0f - s) * (kA + 3.0f * kB * square);
  }
}

// A block sums 32 columns with 8 threads each; `factor`, if any, is multiplied into d first.
constexpr unsigned kColumns = 32;
constexpr unsigned kRowLanes = 8;

__global__ void columns_kernel(float* d, const float* factor, float* sums, bool accumulate,
                               std::size_t n, std::size_t width) {
  __shared__ float shared[kRowLanes][kColumns];
  const std::size_t column = std::size_t{blockIdx.x} * kColumns + threadIdx.x;
  float sum = 0;
  if (column < width) {
    for (std::size_t row = threadIdx.y; row < n; row += kRowLanes) {
      float value = d[row * width + column];
      if (factor != nullptr) {
        value *= factor[row * width + column];
        d[row * width + column] = value;
      }
      sum += value;
    }
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && column < width) {
    float total = accumulate ? sums[column] : 0.0f;
    for (unsigned lane = 0; lane < kRowLanes; ++lane) total += shared[lane][threadIdx.x];
    sums[column] = total;
  }
}

void launch_columns(cudaStream_t stream, float* d, const float* factor, float* sums,
                    bool accumulate, std::size_t n, std::size_t width) {
  const auto blocks = static_cast<unsigned>((width + kColumns - 1) / kColumns);
  launch("column sums", columns_kernel, blocks, dim3(kColumns, kRowLanes), stream, d, factor, sums,
         accumulate, n, width);
}

// One block a row, one thread a byte value.
__global__ void softmax_kernel(float* logits, const float* bias, const std::uint8_t* targets,
                               float scale, bool with_gradient, float* row_loss) {
  static_assert(kThreads == kVocabulary);
  const unsigned value = threadIdx.x;
  float* const row = logits + std::size_t{blockIdx.x} * kVocabulary;
  const unsigned target = targets[blockIdx.x];
  const float logit = row[value] + bias[value];
  const float top = block_reduce(logit, Largest{});
  const float power = expf(logit - top);
  const float sum = block_reduce(power, Add{});
  const float probability = power / sum;
  if (value == target) row_loss[blockIdx.x] = logf(sum) + top - logit;
  row[value] =
      with_gradient ? (probability - (value == target ? 1.0f : 0.0f)) * scale : probability;
}

__global__ void sum_kernel(const float* values, std::size_t n, float scale, bool accumulate,
                           float* out) {
  double sum = 0;
  for (std::size_t i = threadIdx.x; i < n; i += kThreads) sum += values[i];
  sum = block_reduce(sum, Add{});
  if (threadIdx.x == 0)
    *out = (accumulate ? *out : 0.0f) + static_cast<float>(sum * static_cast<double>(scale));
}

__global__ void gather_kernel(const float* embedding, const std::uint8_t* bytes, float* out,
                              std::size_t count, std::size_t embed) {
  for (std::size_t i = first_index(); i < count * embed; i += stride())
    out[i] = embedding[bytes[i / embed] * embed + i % embed];
}

// Block (v, c) sums the gradients of byte value v at the positions of chunk c.
__global__ void scatter_kernel(const float* d, const std::uint8_t* bytes, float* partial,
                               std::size_t count, std::size_t embed) {
  const std::size_t begin = count * blockIdx.y / kScatterChunks;
  const std::size_t end = count * (blockIdx.y + 1) / kScatterChunks;
  float* const out = partial + (std::size_t{blockIdx.y} * kVocabulary + blockIdx.x) * embed;
  for (std::size_t e = threadIdx.x; e < embed; e += blockDim.x) {
    float sum = 0;
    for (std::size_t k = begin; k < end; ++k)
      if (bytes[k] == blockIdx.x) sum += d[k * embed + e];
    out[e] = sum;
  }
}

__global__ void scatter_sum_kernel(const float* partial, float* gradient, std::size_t size) {
  for (std::size_t i = first_index(); i < size; i += stride()) {
    float sum = gradient[i];
    for (std::size_t chunk = 0; chunk < kScatterChunks; ++chunk) sum += partial[chunk * size + i];
    gradient[i] = sum;
  }
}

struct AdamWFloats {
  float scale, beta1, beta2, rest1, rest2, keep, rate, inverse_root, epsilon;
};

__global__ void adamw_kernel(float* p, const float* g, float* m, float* v, std::size_t n,
                             AdamWFloats a) {
  for (std::size_t i = first_index(); i < n; i += stride()) {
    const float gradient = g[i] * a.scale;
    const float first = a.beta1 * m[i] + a.rest1 * gradient;
    const float second = a.beta2 * v[i] + a.rest2 * gradient * gradient;
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * a.keep - a.rate * first / (sqrtf(second) * a.inverse_root + a.epsilon);
  }
}

__global__ void squares_kernel(const float* values, std::size_t n, double* partial) {
  double sum = 0;
  for (std::size_t i = first_index(); i < n; i += stride())
    sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  sum = block_reduce(sum, Add{});
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void sum_partial_kernel(const double* partial, double* out) {
  double sum = 0;
  for (std::size_t i = threadIdx.x; i < kNormBlocks; i += kThreads) sum += partial[i];
  sum = block_reduce(sum, Add{});
  if (threadIdx.x == 0) *out = sum;
}

__global__ void bf16_kernel(const float* from, __nv_bfloat16* to, std::size_t n) {
  for (std::size_t i = first_index(); i < n; i += stride()) to[i] = __float2bfloat16(from[i]);
}

}  // namespace

void bias_gelu(cudaStream_t stream, float* z, const float* bias, float* activation, std::size_t n,
               std::size_t width) {
  if (n == 0) return;
  launch("bias_gelu", bias_gelu_kernel, blocks_for(n * width), kThreads, stream, z, bias,
         activation, n, width);
}

void gelu_backward(cudaStream_t stream, float* d, const float* derivative, float* bias_gradient,
                   bool accumulate, std::size_t n, std::size_t width) {
  launch_columns(stream, d, derivative, bias_gradient, accumulate, n, width);
}

void add_columns(cudaStream_t stream, const float* d, float* sums, bool accumulate, std::size_t n,
                 std::size_t width) {
  // Without a factor the kernel only reads d.
  launch_columns(stream, const_cast<float*>(d), nullptr, sums, accumulate, n, width);
}

void softmax(cudaStream_t stream, float* logits, const float* bias, const std::uint8_t* targets,
             float scale, bool with_gradient, float* row_loss, std::size_t n) {
  if (n == 0) return;
  launch("softmax", softmax_kernel, static_cast<unsigned>(n), kThreads, stream, logits, bias,
         targets, scale, with_gradient, row_loss);
}

void sum_into(cudaStream_t stream, const float* values, std::size_t n, float scale, bool accumulate,
              float* out) {
  launch("sum", sum_kernel, 1, kThreads, stream, values, n, scale, accumulate, out);
}

void gather(cudaStream_t stream, const float* embedding, const std::uint8_t* bytes, float* out,
            std::size_t count, std::size_t embed) {
  if (count == 0) return;
  launch("gather", gather_kernel, blocks_for(count * embed), kThreads, stream, embedding, bytes,
         out, count, embed);
}

void scatter_add(cudaStream_t stream, const float* d, const std::uint8_t* bytes, float* gradient,
                 float* partial, std::size_t count, std::size_t embed) {
  const std::size_t size = kVocabulary * embed;
  const auto threads = static_cast<unsigned>(embed < kThreads ? embed : kThreads);
  launch("scatter", scatter_kernel, dim3(kVocabulary, kScatterChunks), threads, stream, d, bytes,
         partial, count, embed);
  launch("scatter's sum", scatter_sum_kernel, blocks_for(size), kThreads, stream, partial, gradient,
         size);
}

void adamw(cudaStream_t stream, float* p, const float* g, float* m, float* v, std::size_t n,
           const AdamWStep& s) {
  const AdamWFloats a{static_cast<float>(s.gradient_scale),
                      static_cast<float>(s.beta1),
                      static_cast<float>(s.beta2),
                      static_cast<float>(1 - s.beta1),
                      static_cast<float>(1 - s.beta2),
                      static_cast<float>(1 - s.learning_rate * s.weight_decay),
                      static_cast<float>(s.learning_rate / s.correction1),
                      static_cast<float>(1 / std::sqrt(s.correction2)),
                      static_cast<float>(s.epsilon)};
  launch("adamw", adamw_kernel, blocks_for(n), kThreads, stream, p, g, m, v, n, a);
}

void squared_norm(cudaStream_t stream, const float* values, std::size_t n, double* partial,
                  double* out) {
  launch("squared_norm", squares_kernel, kNormBlocks, kThreads, stream, values, n, partial);
  launch("squared_norm's sum", sum_partial_kernel, 1, kThreads, stream, partial, out);
}

void to_bf16(cudaStream_t stream, const float* from, __nv_bfloat16* to, std::size_t n) {
  if (n == 0) return;
  launch("to_bf16", bf16_kernel, blocks_for(n), kThreads, stream, from, to, n);
}

}  // namespace ddp::worker::gpu
