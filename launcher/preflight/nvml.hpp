// The NVIDIA devices of this machine, as the driver's management library (NVML) reports them.
// Linked into ddp-devices and into tests, not into ddp-launch, which is static and cannot load it.
#pragma once

#include "launcher/preflight/device_report.hpp"

namespace ddp {

// Loads libnvidia-ml.so.1 from where the dynamic linker finds it. The error names what is missing
// or what the driver says. A device that cannot be read is left out.
Result<DeviceReport> read_devices();

}  // namespace ddp
