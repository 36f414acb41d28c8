// The memory of each NVIDIA device and the processes that hold some of it, as ddp-devices reports
// them.
//
// The text form has one line an object, between two lines that show that it is whole:
//   ddp-devices 1
//   device <index> <UUID> used <bytes> of <bytes>
//   process <index of its device> <pid> <bytes>        (0 bytes: not known)
//   end
#pragma once

#include "common/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ddp {

struct DeviceUser {
  int pid = 0;              // in the machine's PID namespace
  std::uint64_t bytes = 0;  // 0: not known
};

struct DeviceMemory {
  int index = 0;     // as nvidia-smi counts
  std::string uuid;  // GPU-…
  std::uint64_t used = 0;
  std::uint64_t total = 0;
  std::vector<DeviceUser> users;
};
using DeviceReport = std::vector<DeviceMemory>;

std::string device_report_text(const DeviceReport& report);
// Refuses any text that device_report_text() does not write.
Result<DeviceReport> parse_device_report(std::string_view text);

}  // namespace ddp
