// The tables of kernels, one for each instruction set.
#pragma once

#include "worker/model/kernels.hpp"

namespace ddp::worker {

#define DDP_DECLARE_KERNELS(isa)             \
  namespace isa {                            \
  const Kernels<float>& single_precision();  \
  const Kernels<double>& double_precision(); \
  }
DDP_DECLARE_KERNELS(portable)
DDP_DECLARE_KERNELS(avx2)
DDP_DECLARE_KERNELS(avx512)
#undef DDP_DECLARE_KERNELS

}  // namespace ddp::worker
