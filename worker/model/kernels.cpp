#include "worker/model/kernels.hpp"

#include "worker/model/kernels_isa.hpp"

namespace ddp::worker {

const Kernels<float>& kernels(float) {
#ifdef DDP_KERNELS_X86
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return avx512::single_precision();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return avx2::single_precision();
#endif
  return portable::single_precision();
}

const Kernels<double>& kernels(double) { return portable::double_precision(); }

}  // namespace ddp::worker
