#include "tests/gpu_sim/runtime/block.hpp"

#include "tests/gpu_sim/runtime/fiber.hpp"
#include "tests/gpu_sim/runtime/misuse.hpp"
#include "worker/base/random.hpp"

#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

thread_local uint3 threadIdx;
thread_local uint3 blockIdx;
thread_local dim3 blockDim;
thread_local dim3 gridDim;

namespace ddp::gpu_sim {
namespace {

std::size_t volume(dim3 d) { return std::size_t{d.x} * d.y * d.z; }

bool same(dim3 a, dim3 b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

uint3 position(std::size_t index, dim3 size) {
  return {static_cast<unsigned>(index % size.x), static_cast<unsigned>(index / size.x % size.y),
          static_cast<unsigned>(index / size.x / size.y)};
}

// 0 … count - 1 in another order: a step that shares no factor with the count.
class Shuffled {
 public:
  Shuffled(std::size_t count, std::uint64_t key) : count_(count), next_(key % count) {
    step_ = (worker::mix(key, 1) % count | 1) % count;
    while (std::gcd(step_, count) != 1) ++step_;
  }
  std::size_t next() {
    next_ += step_;
    if (next_ >= count_) next_ -= count_;
    return next_;
  }

 private:
  std::size_t count_;
  std::size_t next_;
  std::size_t step_;
};

}  // namespace

class Block {
 public:
  void run(std::size_t threads, const std::function<void()>& thread, std::uint64_t key) {
    while (fibers_.size() < threads) fibers_.push_back(std::make_unique<Fiber>());
    if (positions_.size() != threads || !same(shape_, blockDim)) {
      shape_ = blockDim;
      positions_.clear();
      for (std::size_t i = 0; i < threads; ++i) positions_.push_back(position(i, blockDim));
    }
    std::size_t waiting = 0;
    for (std::size_t round = 0; round == 0 || waiting > 0; ++round) {
      const std::size_t before = round == 0 ? threads : waiting;
      waiting = 0;
      Shuffled order(threads, worker::mix(key, round));
      for (std::size_t i = 0; i < threads; ++i) {
        const std::size_t index = order.next();
        threadIdx = positions_[index];
        Fiber& fiber = *fibers_[index];
        current_ = &fiber;
        if (round == 0) fiber.start(thread);
        if (fiber.running() && fiber.resume()) ++waiting;
      }
      if (waiting != 0 && waiting != before) {
        misuse("a barrier that not all threads reach: " + std::to_string(waiting) + " of " +
               std::to_string(threads) + " threads of block " + std::to_string(blockIdx.x) +
               " wait, the others have returned");
      }
    }
    current_ = nullptr;
  }

  void barrier() {
    if (current_ == nullptr) misuse("__syncthreads outside of a kernel");
    const uint3 self = threadIdx;
    current_->yield();
    threadIdx = self;
  }

 private:
  std::vector<std::unique_ptr<Fiber>> fibers_;
  dim3 shape_;
  std::vector<uint3> positions_;  // of each thread of a block of this shape
  Fiber* current_ = nullptr;
};

namespace {

__attribute__((tls_model("initial-exec"))) thread_local Block* block_of_this_thread = nullptr;
thread_local Grids* grids_of_this_thread = nullptr;

}  // namespace

Grids::Grids() : block_(std::make_unique<Block>()) {
  block_of_this_thread = block_.get();
  grids_of_this_thread = this;
}

Grids::~Grids() {
  block_of_this_thread = nullptr;
  grids_of_this_thread = nullptr;
}

Grids* Grids::current() { return grids_of_this_thread; }

void Grids::run(dim3 grid, dim3 block, const std::function<void()>& thread, std::uint64_t seed) {
  gridDim = grid;
  blockDim = block;
  const std::size_t blocks = volume(grid);
  Shuffled order(blocks, seed);
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t index = order.next();
    blockIdx = position(index, grid);
    block_->run(volume(block), thread, worker::mix(seed, index));
  }
}

}  // namespace ddp::gpu_sim

void __syncthreads() {
  if (ddp::gpu_sim::block_of_this_thread == nullptr)
    ddp::gpu_sim::misuse("__syncthreads outside of a kernel");
  ddp::gpu_sim::block_of_this_thread->barrier();
}
