#include "worker/model/blas_core.hpp"
#include "worker/model/cpu_ops.hpp"
#include "worker/model/engine.hpp"
#include "worker/model/model_engine.hpp"

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include <memory>

namespace ddp::worker {
namespace {

// Moments of rarely used parameters decay into denormal numbers, which are slow and have no effect.
// From here on they count as zero, in this thread and in threads that it starts.
void flush_denormals() {
#ifdef __SSE2__
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#endif
}

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const ModelShape& shape, std::size_t max_batch,
                                        std::uint64_t seed) {
  flush_denormals();
  return std::make_unique<ModelEngine<CpuOps<float>>>(
      std::make_unique<CpuOps<float>>(), "CPU: " + describe_blas(), shape, max_batch, seed);
}

}  // namespace ddp::worker
