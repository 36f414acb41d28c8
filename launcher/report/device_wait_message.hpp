// What is said of devices that held memory of the last attempt when the next was due.
#pragma once

#include "launcher/core/device_hold.hpp"

#include <string>

namespace ddp {

// A line with its newline. `generation` is the attempt that follows.
std::string device_wait_text(const core::DeviceHold& hold, core::Generation generation);

}  // namespace ddp
