// Does one thing that it must not do: the doubles have to object (misuse_test.py). Without an
// argument: lists what it can do.
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <nccl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>

namespace {

constexpr std::size_t kSize = 100;  // floats

float* allocated(std::size_t size = kSize) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, size * sizeof(float)) != cudaSuccess) std::abort();
  return static_cast<float*>(memory);
}

cudaStream_t stream() {
  cudaStream_t made = nullptr;
  if (cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking) != cudaSuccess) std::abort();
  return made;
}

void write_at(float* memory, std::size_t index) { memory[index] = 1; }
void some_wait(float*) {
  if (threadIdx.x < 3) __syncthreads();
}

void launch_one(void (*kernel)(float*, std::size_t), float* memory, std::size_t index) {
  cudaLaunchConfig_t config{};
  cudaLaunchKernelEx(&config, kernel, memory, index);
  cudaStreamSynchronize(nullptr);
}

// The two ranks of a group, in two processes; each calls `use`. The first that fails ends both.
template <class Use>
void two_ranks(Use use, bool connected = true) {
  ncclUniqueId id{};
  ncclGetUniqueId(&id);
  const pid_t other = ::fork();
  const int rank = other == 0 ? 1 : 0;
  ::setenv("RANK", std::to_string(rank).c_str(), 1);
  ::setenv("NCCL_HOSTID", std::to_string(rank).c_str(), 1);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  ncclComm_t comm = nullptr;
  ncclCommInitRankConfig(&comm, 2, id, rank, &config);
  ncclResult_t state = ncclInProgress;
  while (connected && state == ncclInProgress) ncclCommGetAsyncError(comm, &state);
  use(rank, comm);
  if (other == 0) ::_exit(0);
  int status = 0;
  ::waitpid(other, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) std::exit(WEXITSTATUS(status));
}

void settle(ncclComm_t comm) {
  ncclResult_t state = ncclInProgress;
  while (state == ncclInProgress) ncclCommGetAsyncError(comm, &state);
}

void all_reduce(ncclComm_t comm, float* memory, std::size_t count, cudaStream_t on) {
  ncclAllReduce(memory, memory, count, ncclFloat, ncclSum, comm, on);
}

const std::map<std::string, void (*)()> kCases = {
    // The control: nothing that is allowed is objected to.
    {"allowed",
     [] {
       float* const memory = allocated();
       launch_one(&write_at, memory, kSize - 1);
       cudaFree(memory);
       two_ranks([](int, ncclComm_t comm) {
         float* const values = allocated();
         const cudaStream_t on = stream();
         cudaMemsetAsync(values, 0, kSize * sizeof(float), on);
         for (int i = 0; i < 3; ++i) {
           all_reduce(comm, values, kSize, on);
           settle(comm);
         }
         cudaStreamSynchronize(on);
         ncclCommFinalize(comm);
         settle(comm);
         ncclCommDestroy(comm);
       });
     }},
    {"host-reads", [] { std::printf("%f\n", static_cast<double>(*allocated())); }},
    {"kernel-past-the-end", [] { launch_one(&write_at, allocated(), kSize + 1024); }},
    {"kernel-next-to",
     [] {
       float* const memory = allocated(kSize + 1);  // ends before its page does
       launch_one(&write_at, memory, kSize + 1);
       cudaFree(memory);
     }},
    {"kernel-after-free",
     [] {
       float* const memory = allocated();
       cudaFree(memory);
       launch_one(&write_at, memory, 0);
     }},
    {"free-twice",
     [] {
       float* const memory = allocated();
       cudaFree(memory);
       cudaFree(memory);
     }},
    {"destroyed-stream",
     [] {
       const cudaStream_t on = stream();
       cudaStreamDestroy(on);
       cudaMemsetAsync(allocated(), 0, 4, on);
     }},
    {"destroyed-event",
     [] {
       cudaEvent_t event = nullptr;
       cudaEventCreate(&event);
       cudaEventDestroy(event);
       cudaEventRecord(event, stream());
     }},
    {"barrier-of-some",
     [] {
       cudaLaunchConfig_t config{};
       config.blockDim = 8;
       cudaLaunchKernelEx(&config, &some_wait, nullptr);
       cudaStreamSynchronize(nullptr);
     }},
    {"cuda-in-host-function",
     [] {
       const auto call = [](void*) { cudaStreamSynchronize(nullptr); };
       const cudaStream_t on = stream();
       cudaLaunchHostFunc(on, call, nullptr);
       cudaStreamSynchronize(on);
     }},
    {"product-past-the-end",
     [] {
       cublasHandle_t handle = nullptr;
       cublasCreate(&handle);
       const float one = 1;
       float* const memory = allocated();
       cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 10, 10, 11, &one, memory, CUDA_R_32F, 10,
                    memory, CUDA_R_32F, 11, &one, memory, CUDA_R_32F, 10, CUBLAS_COMPUTE_32F,
                    CUBLAS_GEMM_DEFAULT);
     }},
    {"collective-while-connecting",
     [] {
       two_ranks([](int, ncclComm_t comm) { all_reduce(comm, allocated(), 1, stream()); }, false);
     }},
    {"collective-in-progress",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         const cudaStream_t on = stream();
         all_reduce(comm, allocated(), kSize, on);
         all_reduce(comm, allocated(), kSize, on);
       });
     }},
    {"other-counts",
     [] {
       two_ranks([](int rank, ncclComm_t comm) {
         const cudaStream_t on = stream();
         all_reduce(comm, allocated(), rank == 0 ? kSize : kSize - 1, on);
         settle(comm);
         cudaStreamSynchronize(on);
       });
     }},
    {"other-order",
     [] {
       two_ranks([](int rank, ncclComm_t comm) {
         const cudaStream_t on = stream();
         float* const memory = allocated();
         if (rank == 0) {
           all_reduce(comm, memory, kSize, on);
         } else {
           ncclBroadcast(memory, memory, kSize, ncclFloat, 0, comm, on);
         }
         settle(comm);
         cudaStreamSynchronize(on);
       });
     }},
    {"finalize-never-settled",
     [] { two_ranks([](int, ncclComm_t comm) { ncclCommFinalize(comm); }); }},
    {"destroyed-unsettled",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         ncclCommFinalize(comm);
         ncclCommDestroy(comm);
       });
     }},
    {"used-after-abort",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         ncclCommAbort(comm);
         all_reduce(comm, allocated(), 1, stream());
       });
     }},
    {"used-after-destroy",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         ncclCommFinalize(comm);
         settle(comm);
         ncclCommDestroy(comm);
         ncclCommDestroy(comm);
       });
     }},
    {"buffer-of-the-host",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         static float values[kSize];
         all_reduce(comm, values, kSize, stream());
       });
     }},
    {"buffer-of-another-device",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         cudaSetDevice(1);
         all_reduce(comm, allocated(), kSize, stream());
       });
     }},
    {"two-threads",
     [] {
       two_ranks([](int, ncclComm_t comm) {
         const auto ask = [comm] {
           for (int i = 0; i < 1 << 22; ++i) {
             ncclResult_t state = ncclSuccess;
             ncclCommGetAsyncError(comm, &state);
           }
         };
         std::thread second(ask);
         ask();
         second.join();
       });
     }},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    for (const auto& [name, does] : kCases) std::puts(name.c_str());
    return 0;
  }
  kCases.at(argv[1])();
}
