#include "launcher/report/device_wait_message.hpp"

#include "common/duration_text.hpp"
#include "launcher/base/memory_size.hpp"

#include <fmt/core.h>

namespace ddp {

std::string device_wait_text(const core::DeviceHold& hold, core::Generation generation) {
  const std::string memory = hold.bytes > 0 ? memory_size(hold.bytes) : "memory";
  if (hold.released)
    return fmt::format("ddp-launch: device {} released {} of {} after {}\n", hold.device, memory,
                       hold.holders, duration_text(hold.waited));
  return fmt::format(
      "ddp-launch: warning: device {} still holds {} of {} after {} (--device-release-timeout); "
      "attempt {} starts all the same\n",
      hold.device, memory, hold.holders, duration_text(hold.waited), generation);
}

}  // namespace ddp
