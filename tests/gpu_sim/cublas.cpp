// cuBLAS over OpenBLAS: products in float on a stream, of operands in float or bf16.
#include "tests/gpu_sim/runtime/memory.hpp"
#include "tests/gpu_sim/runtime/misuse.hpp"
#include "tests/gpu_sim/runtime/stream.hpp"

#include <cblas.h>
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <cstddef>
#include <string>
#include <vector>

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_read_range(const void* begin, unsigned long size);
extern "C" void __tsan_write_range(void* begin, unsigned long size);
#endif

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace {

using namespace ddp::gpu_sim;

// ThreadSanitizer does not see what OpenBLAS reads and writes.
void note_access([[maybe_unused]] const void* begin, [[maybe_unused]] std::size_t size,
                 [[maybe_unused]] bool write) {
#if defined(__SANITIZE_THREAD__)
  if (write) {
    __tsan_write_range(const_cast<void*>(begin), size);
  } else {
    __tsan_read_range(begin, size);
  }
#endif
}

// A column-major matrix in device memory.
struct Matrix {
  const void* data;
  cudaDataType type;
  int rows, columns, leading;

  std::size_t element() const { return type == CUDA_R_16BF ? 2 : 4; }
  std::size_t count() const {
    return static_cast<std::size_t>(leading) * static_cast<std::size_t>(columns - 1) +
           static_cast<std::size_t>(rows);
  }
};

void check_operand(const char* name, const Matrix& m) {
  if (device_of(m.data, m.count() * m.element()) < 0) {
    misuse(std::string("cublasGemmEx: ") + name + " (" + std::to_string(m.rows) + " x " +
           std::to_string(m.columns) + ") is not within an allocation");
  }
}

// The operand as floats; `copy` holds those of bf16.
const float* floats(const Matrix& m, std::vector<float>& copy) {
  const void* const data = visible_to_device(m.data);
  note_access(data, m.count() * m.element(), false);
  if (m.type == CUDA_R_32F) return static_cast<const float*>(data);
  copy.resize(m.count());
  const auto* const values = static_cast<const __nv_bfloat16*>(data);
  for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = __bfloat162float(values[i]);
  return copy.data();
}

CBLAS_TRANSPOSE transposed(cublasOperation_t operation) {
  return operation == CUBLAS_OP_T ? CblasTrans : CblasNoTrans;
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  openblas_set_num_threads(1);  // a stream is a thread
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t size) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (device_of(workspace, size) < 0) misuse("cublasSetWorkspace: not within an allocation");
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "the operation completed successfully";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the function failed to launch on the GPU";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the functionality requested is not supported";
  }
  return "unknown status";
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb,
                            int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType a_type, int lda, const void* b, cudaDataType b_type,
                            int ldb, const void* beta, void* c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const Matrix left{a, a_type, ta == CUBLAS_OP_N ? m : k, ta == CUBLAS_OP_N ? k : m, lda};
  const Matrix right{b, b_type, tb == CUBLAS_OP_N ? k : n, tb == CUBLAS_OP_N ? n : k, ldb};
  const Matrix out{c, c_type, m, n, ldc};
  if (m <= 0 || n <= 0 || k <= 0 || lda < left.rows || ldb < right.rows || ldc < out.rows)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (a_type != b_type || c_type != CUDA_R_32F || compute != CUBLAS_COMPUTE_32F ||
      algorithm != CUBLAS_GEMM_DEFAULT)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  check_operand("A", left);
  check_operand("B", right);
  check_operand("C", out);
  const float one = *static_cast<const float*>(alpha);
  const float keep = *static_cast<const float*>(beta);
  stream_of(handle->stream)->push([=] {
    std::vector<float> left_copy;
    std::vector<float> right_copy;
    const float* const x = floats(left, left_copy);
    const float* const y = floats(right, right_copy);
    auto* const z = static_cast<float*>(visible_to_device(out.data));
    note_access(z, out.count() * sizeof(float), true);
    cblas_sgemm(CblasColMajor, transposed(ta), transposed(tb), m, n, k, one, x, lda, y, ldb, keep,
                z, ldc);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
