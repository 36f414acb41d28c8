#include "tests/gpu_sim/runtime/device.hpp"

#include "tests/gpu_sim/runtime/settings.hpp"

#include <atomic>
#include <cstdint>

namespace ddp::gpu_sim {
namespace {

thread_local int current = 0;
std::atomic<cudaError_t> sticky{cudaSuccess};
std::atomic<std::uint64_t> kernels{0};

}  // namespace

int current_device() { return current; }
void set_current_device(int device) { current = device; }

// Relaxed: an error must not order two streams for ThreadSanitizer.
cudaError_t sticky_error() { return sticky.load(std::memory_order_relaxed); }
void set_sticky_error(cudaError_t error) { sticky.store(error, std::memory_order_relaxed); }

bool loses_device() {
  const std::uint64_t count = kernels.fetch_add(1, std::memory_order_relaxed) + 1;
  const auto& moment = settings().lost_device;
  if (!moment || moment->rank != settings().rank || count < moment->count) return false;
  set_sticky_error(cudaErrorECCUncorrectable);
  return true;
}

}  // namespace ddp::gpu_sim
