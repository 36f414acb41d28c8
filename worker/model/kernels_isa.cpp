// Compiled once for each instruction set, with DDP_KERNEL_ISA set to its name (CMakeLists.txt).
#include "worker/model/kernels_isa.hpp"

#include "worker/model/kernels.hpp"

namespace ddp::worker::DDP_KERNEL_ISA {

#include "worker/model/kernels.ipp"

const Kernels<float>& single_precision() {
  static constexpr Kernels<float> kTable = table<float>();
  return kTable;
}

const Kernels<double>& double_precision() {
  static constexpr Kernels<double> kTable = table<double>();
  return kTable;
}

}  // namespace ddp::worker::DDP_KERNEL_ISA
