// What the environment asks of the simulation (README.md, "Variables").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::gpu_sim {

// Something that happens on one rank when it has counted so far.
struct Moment {
  int rank = 0;
  std::uint64_t count = 0;
};

struct Settings {
  std::vector<int> devices;  // by the program's index: the number of the device
  std::size_t memory = 0;    // bytes of each device, for each process
  std::uint64_t seed = 0;    // of the order of blocks and threads, and of delays
  int jitter_us = 0;         // the longest delay before an operation of a stream
  int driver_version = 0;    // as cuDriverGetVersion counts: 13000
  int nccl_version = 0;      // as ncclGetVersion counts: 22803
  int rank = 0;
  std::optional<Moment> lost_device;  // counted in kernels
  std::optional<Moment> nccl_error;   // counted in collectives, as the next
  std::optional<Moment> nccl_hang;
  bool nccl_abort_hangs = false;
};

// Read once. Ends the process where a value is malformed.
const Settings& settings();

}  // namespace ddp::gpu_sim
