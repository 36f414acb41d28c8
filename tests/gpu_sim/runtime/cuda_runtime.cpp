// The functions of the CUDA runtime (include/cuda_runtime_api.h), and of the driver the one that
// asks its version.
#include "tests/gpu_sim/runtime/block.hpp"
#include "tests/gpu_sim/runtime/device.hpp"
#include "tests/gpu_sim/runtime/memory.hpp"
#include "tests/gpu_sim/runtime/misuse.hpp"
#include "tests/gpu_sim/runtime/settings.hpp"
#include "tests/gpu_sim/runtime/stream.hpp"
#include "worker/base/random.hpp"

#include <cuda_runtime.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace ddp::gpu_sim;

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};
constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
};

thread_local cudaError_t last_error = cudaSuccess;

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

int device_count() { return static_cast<int>(settings().devices.size()); }

// What every call begins with. An operation that is queued must not call CUDA.
cudaError_t begin() {
  if (on_stream()) misuse("CUDA is called from a host function of a stream");
  if (settings().driver_version < CUDART_VERSION) return cudaErrorInsufficientDriver;
  if (device_count() == 0) return cudaErrorNoDevice;
  return sticky_error();
}

#define RETURN_IF_FAILED(expression) \
  if (const cudaError_t failed_ = (expression); failed_ != cudaSuccess) return result(failed_)

// An address of device memory where nothing is mapped, or of memory without an allocation.
extern "C" void explain_fault(int signal, siginfo_t* info, void*) {
  const std::string what = describe_address(info->si_addr);
  if (!what.empty()) misuse(what);
  ::signal(signal, SIG_DFL);  // not ours: it happens again, with the usual end
}

// Before main or dlopen returns.
[[maybe_unused]] const bool explains_faults = [] {
  struct sigaction action {};
  action.sa_sigaction = &explain_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return ::sigaction(SIGSEGV, &action, nullptr) == 0;
}();

// With the event's mutex.
void check_alive(cudaEvent_t event) {
  if (event->destroyed) misuse("an event is used after it was destroyed");
}

bool is_device_side(const void* pointer, std::size_t count) {
  return device_of(pointer, count) >= 0;
}

// The kind must fit the pointers, and both ranges lie within one allocation.
cudaError_t check_copy(const void* to, const void* from, std::size_t count, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (is_device_pointer(to) != to_device || is_device_pointer(from) != from_device)
    return cudaErrorInvalidValue;
  if (to_device && !is_device_side(to, count)) return cudaErrorInvalidValue;
  if (from_device && !is_device_side(from, count)) return cudaErrorInvalidValue;
  return cudaSuccess;
}

}  // namespace

namespace ddp::gpu_sim {

cudaError_t queue_kernel(const cudaLaunchConfig_t& config, std::function<void()> thread) {
  RETURN_IF_FAILED(begin());
  constexpr std::size_t kMostThreads = 1024;
  const dim3 grid = config.gridDim;
  const dim3 block = config.blockDim;
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 ||
      grid.z > 65535 || threads == 0 || threads > kMostThreads)
    return result(cudaErrorInvalidConfiguration);
  if (stream_of(config.stream)->device() != current_device())
    return result(cudaErrorInvalidResourceHandle);
  if (loses_device()) return result(sticky_error());
  static std::atomic<std::uint64_t> launches{0};
  const std::uint64_t seed =
      worker::mix(settings().seed, launches.fetch_add(1, std::memory_order_relaxed));
  stream_of(config.stream)->push([grid, block, seed, thread = std::move(thread)] {
    Grids::current()->run(grid, block, thread, seed);
  });
  return cudaSuccess;
}

}  // namespace ddp::gpu_sim

extern "C" {

int cuDriverGetVersion(int* version) {
  *version = settings().driver_version;
  return 0;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = settings().driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  RETURN_IF_FAILED(begin());
  *count = device_count();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  RETURN_IF_FAILED(begin());
  if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
  set_current_device(device);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  RETURN_IF_FAILED(begin());
  if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "Simulated GPU");
  properties->totalGlobalMem = settings().memory;
  properties->major = 9;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return sticky_error() != cudaSuccess ? sticky_error() : std::exchange(last_error, cudaSuccess);
}

const char* cudaGetErrorName(cudaError_t error) {
  for (const ErrorText& known : kErrors)
    if (known.error == error) return known.name;
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  for (const ErrorText& known : kErrors)
    if (known.error == error) return known.text;
  return "unrecognized error code";
}

cudaError_t cudaMalloc(void** memory, std::size_t size) {
  RETURN_IF_FAILED(begin());
  *memory = nullptr;
  if (size == 0) return cudaSuccess;
  *memory = allocate(current_device(), size);
  return *memory == nullptr ? result(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  RETURN_IF_FAILED(begin());
  if (memory == nullptr) return cudaSuccess;
  const int device = device_of(memory, 0);
  if (device < 0) misuse("cudaFree of what is not an allocation");
  drain_device(device);
  if (!release(memory)) misuse("cudaFree of what is not an allocation");
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t count, cudaStream_t stream) {
  RETURN_IF_FAILED(begin());
  if (count == 0) return cudaSuccess;
  if (!is_device_side(memory, count)) return result(cudaErrorInvalidValue);
  void* const visible = visible_to_device(memory);
  stream_of(stream)->push([visible, value, count] { std::memset(visible, value, count); });
  return cudaSuccess;
}

// Of device memory it does not wait either.
cudaError_t cudaMemset(void* memory, int value, std::size_t count) {
  return cudaMemsetAsync(memory, value, count, nullptr);
}

// Host memory is pageable: it is staged before a copy to the device returns, and a copy from the
// device returns when it is complete.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t count, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  RETURN_IF_FAILED(begin());
  if (count == 0) return cudaSuccess;
  RETURN_IF_FAILED(check_copy(to, from, count, kind));
  void* const visible_to = visible_to_device(to);
  if (kind == cudaMemcpyHostToDevice) {
    const auto* const bytes = static_cast<const unsigned char*>(from);
    stream_of(stream)->push([visible_to, staged = std::vector(bytes, bytes + count)] {
      std::memcpy(visible_to, staged.data(), staged.size());
    });
    return cudaSuccess;
  }
  const void* const visible_from = visible_to_device(from);
  stream_of(stream)->push(
      [visible_to, visible_from, count] { std::memcpy(visible_to, visible_from, count); });
  return kind == cudaMemcpyDeviceToHost ? cudaStreamSynchronize(stream) : cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t count, cudaMemcpyKind kind) {
  RETURN_IF_FAILED(cudaMemcpyAsync(to, from, count, kind, nullptr));
  return cudaStreamSynchronize(nullptr);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  RETURN_IF_FAILED(begin());
  if (flags != cudaStreamNonBlocking) misuse("a stream that waits for the default stream");
  *stream = new CUstream_st(current_device(), settings().seed);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  RETURN_IF_FAILED(begin());
  if (stream == nullptr) return result(cudaErrorInvalidResourceHandle);
  stream->close();
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  RETURN_IF_FAILED(begin());
  stream_of(stream)->drain();
  return result(sticky_error());
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  RETURN_IF_FAILED(begin());
  const std::lock_guard lock(event->mutex);
  check_alive(event);
  if (event->record != nullptr)
    stream_of(stream)->push_always([record = event->record] { record->done.wait(); });
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  RETURN_IF_FAILED(begin());
  stream_of(stream)->push([function, data] { function(data); });
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  RETURN_IF_FAILED(begin());
  static std::mutex mutex;
  static auto* const all = new std::vector<cudaEvent_t>;  // known to the end of the process
  *event = new CUevent_st;
  (*event)->device = current_device();
  const std::lock_guard lock(mutex);
  all->push_back(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(event->mutex);
  check_alive(event);
  event->destroyed = true;
  event->record = nullptr;  // a stream that waits for it holds the record
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  RETURN_IF_FAILED(begin());
  const auto record = std::make_shared<Record>();
  const std::lock_guard lock(event->mutex);
  check_alive(event);
  if (stream_of(stream)->device() != event->device) return result(cudaErrorInvalidResourceHandle);
  event->record = record;
  stream_of(stream)->push_always([record] {
    record->when = std::chrono::steady_clock::now();
    record->done.set();
  });
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  RETURN_IF_FAILED(begin());
  const std::lock_guard lock(event->mutex);
  check_alive(event);
  return event->record == nullptr || event->record->done.is_set() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin_event,
                                 cudaEvent_t end_event) {
  RETURN_IF_FAILED(begin());
  std::shared_ptr<Record> records[2];
  for (int i = 0; i < 2; ++i) {
    const cudaEvent_t event = i == 0 ? begin_event : end_event;
    const std::lock_guard lock(event->mutex);
    check_alive(event);
    records[i] = event->record;
    if (records[i] == nullptr) return result(cudaErrorInvalidResourceHandle);
    if (!records[i]->done.is_set()) return cudaErrorNotReady;
  }
  *milliseconds =
      std::chrono::duration<float, std::milli>(records[1]->when - records[0]->when).count();
  return cudaSuccess;
}

}  // extern "C"
