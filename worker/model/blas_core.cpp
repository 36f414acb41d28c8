// OpenBLAS chooses its kernels by the processor's model number. A model that it does not know, such
// as every server processor that is newer than the release, gets those for SSE3: three times
// slower, measured. The features of the processor are known without its model, so the choice is
// made here, before OpenBLAS makes its own in a constructor of default priority. OPENBLAS_CORETYPE,
// if set, takes precedence.
#include "worker/model/blas_core.hpp"

#include <cblas.h>

#include <cstdlib>

namespace ddp::worker {

#ifdef DDP_KERNELS_X86

namespace {

[[gnu::constructor(101)]] void choose_blas_core() {
  __builtin_cpu_init();
  const char* core = nullptr;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    core = "SkylakeX";
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    core = __builtin_cpu_is("amd") ? "Zen" : "Haswell";
  }
  if (core != nullptr) ::setenv("OPENBLAS_CORETYPE", core, 0);
}

}  // namespace

#endif

std::string describe_blas() {
  const int threads = openblas_get_num_threads();
  return openblas_get_corename() + std::string(", ") + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

}  // namespace ddp::worker
