#include "tests/gpu_sim/runtime/stream.hpp"

#include "tests/gpu_sim/runtime/block.hpp"
#include "tests/gpu_sim/runtime/device.hpp"
#include "tests/gpu_sim/runtime/misuse.hpp"
#include "tests/gpu_sim/runtime/settings.hpp"
#include "worker/base/random.hpp"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <map>
#include <thread>
#include <utility>
#include <vector>

namespace ddp::gpu_sim {
namespace {

thread_local bool runs_a_stream = false;

// System calls of our own: std::atomic::wait shares counters between all that wait.
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

struct Streams {
  std::mutex mutex;
  std::map<int, cudaStream_t> defaults;
  std::vector<cudaStream_t> all;
};
Streams& streams() {
  static auto* const all = new Streams;
  return *all;
}

}  // namespace

void Signal::set() {
  value_.store(1, std::memory_order_release);
  wake(value_);
}

void Signal::wait() {
  while (!is_set()) sleep_while(value_, 0);
}

bool on_stream() { return runs_a_stream; }

cudaStream_t stream_of(cudaStream_t stream) {
  if (stream != nullptr) return stream;
  const int device = current_device();
  cudaStream_t& found = [&]() -> cudaStream_t& {
    const std::lock_guard lock(streams().mutex);
    return streams().defaults[device];
  }();
  if (found == nullptr) found = new CUstream_st(device, settings().seed);
  return found;
}

void drain_device(int device) {
  std::vector<cudaStream_t> those;
  {
    const std::lock_guard lock(streams().mutex);
    for (const cudaStream_t stream : streams().all)
      if (stream->device() == device) those.push_back(stream);
  }
  for (const cudaStream_t stream : those) stream->drain();
}

}  // namespace ddp::gpu_sim

CUstream_st::CUstream_st(int device, std::uint64_t seed) : device_(device), last_(new Node) {
  {
    const std::lock_guard lock(ddp::gpu_sim::streams().mutex);
    ddp::gpu_sim::streams().all.push_back(this);
    seed += ddp::gpu_sim::streams().all.size();
  }
  // A signal to the process is for a thread of the program.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigdelset(&all, SIGSEGV);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([this, seed, first = last_] { run(seed, first); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void CUstream_st::push_always(ddp::gpu_sim::Operation operation) {
  const std::lock_guard lock(pushing_);
  append(std::move(operation));
}

void CUstream_st::append(ddp::gpu_sim::Operation operation) {
  if (closed_) ddp::gpu_sim::misuse("a stream is used after it was destroyed");
  auto* const node = new Node{std::move(operation)};
  std::exchange(last_, node)->next.store(node, std::memory_order_release);
  pushed_.fetch_add(1, std::memory_order_release);
  ddp::gpu_sim::wake(pushed_);
}

void CUstream_st::push(ddp::gpu_sim::Operation operation) {
  push_always([operation = std::move(operation)] {
    if (ddp::gpu_sim::sticky_error() == cudaSuccess) operation();
  });
}

void CUstream_st::close() {
  const std::lock_guard lock(pushing_);
  append({});
  closed_ = true;
}

void CUstream_st::drain() {
  bool closed = false;
  {
    const std::lock_guard lock(pushing_);
    closed = closed_;
  }
  if (closed) {
    ended_.wait();
    return;
  }
  const auto done = std::make_shared<ddp::gpu_sim::Signal>();
  push_always([done] { done->set(); });
  done->wait();
}

void CUstream_st::run(std::uint64_t seed, Node* node) {
  using namespace ddp;
  gpu_sim::runs_a_stream = true;
  gpu_sim::set_current_device(device_);
  gpu_sim::Grids grids;
  const auto longest = static_cast<std::uint64_t>(gpu_sim::settings().jitter_us);
  for (std::uint64_t turn = 0;; ++turn) {
    Node* next = nullptr;
    while (true) {
      const std::uint32_t seen = pushed_.load(std::memory_order_relaxed);
      next = node->next.load(std::memory_order_acquire);
      if (next != nullptr) break;
      gpu_sim::sleep_while(pushed_, seen);
    }
    delete std::exchange(node, next);
    // One operation in eight is late, so that what did not wait for it shows.
    const std::uint64_t random = worker::mix(seed, turn);
    if (longest > 0 && random % 8 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(random / 8 % longest));
    if (!node->operation) break;
    node->operation();
    node->operation = nullptr;
  }
  delete node;
  ended_.set();
}
