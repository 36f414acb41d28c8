// The threads of a kernel as fibers: a block after the other, in an order that the seed shuffles.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace ddp::gpu_sim {

class Block;

// Of one system thread: its fibers are kept from grid to grid.
class Grids {
 public:
  Grids();
  ~Grids();
  Grids(const Grids&) = delete;
  Grids& operator=(const Grids&) = delete;

  // Calls `thread` once for each thread of grid x block. Ends the process where some threads of a
  // block wait at a barrier and others have returned.
  void run(dim3 grid, dim3 block, const std::function<void()>& thread, std::uint64_t seed);
  // The one of the calling thread; null where it has none.
  static Grids* current();

 private:
  std::unique_ptr<Block> block_;
};

}  // namespace ddp::gpu_sim
