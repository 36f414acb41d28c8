// Memory of a device that processes of the last attempt still held when the next was due.
#pragma once

#include "launcher/core/types.hpp"

#include <cstdint>
#include <string>

namespace ddp::core {

struct DeviceHold {
  int device = 0;           // as nvidia-smi counts
  std::string holders;      // "pid 4711 (rank 2), pid 4712"
  std::uint64_t bytes = 0;  // of them, when it was seen last; 0: not known
  Nanoseconds waited{};     // for this device
  bool released = false;
};

}  // namespace ddp::core
