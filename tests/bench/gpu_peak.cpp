// What the GPU multiplies at best: cuBLAS on square matrices, in each of the worker's types. Prints
// one JSON object, in TFLOP/s: {"fp32": …, "bf16": …}. 77 where there is no GPU. The argument, if
// there is one, is the sides of the matrices.
#include "worker/gpu/cuda_support.hpp"

#include <cublas_v2.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

namespace {

using namespace ddp::worker::gpu;

constexpr int kSize = 8192;  // large enough for the peak
constexpr int kRepeats = 20;

void check_blas(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) throw std::runtime_error(cublasGetStatusString(status));
}

// The best of some runs: a peak is what is possible, not what is usual. C is fp32, as the worker's.
double tflops(cublasHandle_t blas, cudaStream_t stream, int size, cudaDataType type,
              std::size_t element) {
  const std::size_t count = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  DeviceArray<char> a(count * element);
  DeviceArray<char> b(count * element);
  DeviceArray<float> c(count);
  const float one = 1;
  const float zero = 0;
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    Event begin;
    Event end;
    begin.record(stream);
    check_blas(cublasGemmEx(blas, CUBLAS_OP_T, CUBLAS_OP_N, size, size, size, &one, a.data(), type,
                            size, b.data(), type, size, &zero, c.data(), CUDA_R_32F, size,
                            CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    end.record(stream);
    check(cudaStreamSynchronize(stream), "a product");
    const double flop = 2.0 * size * size * size;
    best = std::max(best, flop / seconds_between(begin, end) / 1e12);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int size = argc > 1 ? std::atoi(argv[1]) : kSize;
  if (size < 1) {
    std::fprintf(stderr, "gpu_peak: the size is '%s': expected a number from 1\n", argv[1]);
    return 2;
  }
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "gpu_peak: no GPU\n");
    return 77;
  }
  try {
    const Stream stream;
    cublasHandle_t blas = nullptr;
    check_blas(cublasCreate(&blas));
    check_blas(cublasSetStream(blas, stream.get()));
    const double fp32 = tflops(blas, stream.get(), size, CUDA_R_32F, 4);
    const double bf16 = tflops(blas, stream.get(), size, CUDA_R_16BF, 2);
    std::printf("{\"fp32\": %.4g, \"bf16\": %.4g}\n", fp32, bf16);
    cublasDestroy(blas);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_peak: %s\n", error.what());
    return 1;
  }
}
