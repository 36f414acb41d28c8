// Compiled against the doubles' headers and, where there is one, against the toolkit's: each
// function has this type in both, and each constant this value.
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <nccl.h>

#include <cstddef>
#include <type_traits>

namespace {

#define HAS_TYPE(function, ...) \
  static_assert(std::is_same_v<decltype(&function), __VA_ARGS__>, #function)

using Error = cudaError_t;
using Stream = cudaStream_t;
HAS_TYPE(cudaDriverGetVersion, Error (*)(int*));
HAS_TYPE(cudaRuntimeGetVersion, Error (*)(int*));
HAS_TYPE(cudaGetDeviceCount, Error (*)(int*));
HAS_TYPE(cudaSetDevice, Error (*)(int));
HAS_TYPE(cudaGetDeviceProperties, Error (*)(cudaDeviceProp*, int));
HAS_TYPE(cudaGetLastError, Error (*)());
HAS_TYPE(cudaGetErrorName, const char* (*)(Error));
HAS_TYPE(cudaGetErrorString, const char* (*)(Error));
HAS_TYPE(cudaFree, Error (*)(void*));
HAS_TYPE(cudaMemset, Error (*)(void*, int, std::size_t));
HAS_TYPE(cudaMemsetAsync, Error (*)(void*, int, std::size_t, Stream));
HAS_TYPE(cudaMemcpy, Error (*)(void*, const void*, std::size_t, cudaMemcpyKind));
HAS_TYPE(cudaMemcpyAsync, Error (*)(void*, const void*, std::size_t, cudaMemcpyKind, Stream));
HAS_TYPE(cudaStreamCreateWithFlags, Error (*)(Stream*, unsigned));
HAS_TYPE(cudaStreamDestroy, Error (*)(Stream));
HAS_TYPE(cudaStreamSynchronize, Error (*)(Stream));
HAS_TYPE(cudaStreamWaitEvent, Error (*)(Stream, cudaEvent_t, unsigned));
HAS_TYPE(cudaLaunchHostFunc, Error (*)(Stream, cudaHostFn_t, void*));
HAS_TYPE(cudaEventDestroy, Error (*)(cudaEvent_t));
HAS_TYPE(cudaEventRecord, Error (*)(cudaEvent_t, Stream));
HAS_TYPE(cudaEventQuery, Error (*)(cudaEvent_t));
HAS_TYPE(cudaEventElapsedTime, Error (*)(float*, cudaEvent_t, cudaEvent_t));
// The toolkit overloads these two in C++.
static_assert(std::is_same_v<decltype(cudaMalloc(static_cast<void**>(nullptr), 1)), Error>);
static_assert(std::is_same_v<decltype(cudaEventCreate(static_cast<cudaEvent_t*>(nullptr))), Error>);

using Status = cublasStatus_t;
using Handle = cublasHandle_t;
HAS_TYPE(cublasCreate, Status (*)(Handle*));
HAS_TYPE(cublasDestroy, Status (*)(Handle));
HAS_TYPE(cublasSetStream, Status (*)(Handle, Stream));
HAS_TYPE(cublasSetWorkspace, Status (*)(Handle, void*, std::size_t));
HAS_TYPE(cublasGetStatusString, const char* (*)(Status));
// The toolkit has another of this name in C++.
[[maybe_unused]] constexpr Status (*kGemm)(Handle, cublasOperation_t, cublasOperation_t, int, int,
                                           int, const void*, const void*, cudaDataType, int,
                                           const void*, cudaDataType, int, const void*, void*,
                                           cudaDataType, int, cublasComputeType_t,
                                           cublasGemmAlgo_t) = &cublasGemmEx;

using Result = ncclResult_t;
using Comm = ncclComm_t;
HAS_TYPE(ncclGetVersion, Result (*)(int*));
HAS_TYPE(ncclGetUniqueId, Result (*)(ncclUniqueId*));
HAS_TYPE(ncclCommInitRankConfig, Result (*)(Comm*, int, ncclUniqueId, int, ncclConfig_t*));
HAS_TYPE(ncclCommFinalize, Result (*)(Comm));
HAS_TYPE(ncclCommDestroy, Result (*)(Comm));
HAS_TYPE(ncclCommAbort, Result (*)(Comm));
HAS_TYPE(ncclCommGetAsyncError, Result (*)(Comm, Result*));
HAS_TYPE(ncclGetErrorString, const char* (*)(Result));
HAS_TYPE(ncclGetLastError, const char* (*)(Comm));
HAS_TYPE(ncclAllReduce,
         Result (*)(const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, Comm, Stream));
HAS_TYPE(ncclBroadcast,
         Result (*)(const void*, void*, std::size_t, ncclDataType_t, int, Comm, Stream));

static_assert(cudaSuccess == 0 && cudaErrorInvalidValue == 1 && cudaErrorMemoryAllocation == 2);
static_assert(cudaErrorInvalidConfiguration == 9 && cudaErrorInsufficientDriver == 35);
static_assert(cudaErrorNoDevice == 100 && cudaErrorInvalidDevice == 101);
static_assert(cudaErrorECCUncorrectable == 214 && cudaErrorInvalidResourceHandle == 400);
static_assert(cudaErrorNotReady == 600 && cudaErrorIllegalAddress == 700);
static_assert(cudaMemcpyHostToDevice == 1 && cudaMemcpyDeviceToHost == 2);
static_assert(cudaStreamNonBlocking == 1);
static_assert(CUBLAS_STATUS_INVALID_VALUE == 7 && CUBLAS_STATUS_NOT_SUPPORTED == 15);
static_assert(CUBLAS_OP_N == 0 && CUBLAS_OP_T == 1 && CUDA_R_32F == 0 && CUDA_R_16BF == 14);
static_assert(CUBLAS_COMPUTE_32F == 68 && CUBLAS_GEMM_DEFAULT == -1);
static_assert(NCCL_UNIQUE_ID_BYTES == 128 && sizeof(ncclUniqueId) == 128);
static_assert(ncclSuccess == 0 && ncclSystemError == 2 && ncclInvalidUsage == 5);
static_assert(ncclRemoteError == 6 && ncclInProgress == 7);
static_assert(ncclChar == 0 && ncclFloat == 7 && ncclDouble == 8 && ncclSum == 0);

}  // namespace
