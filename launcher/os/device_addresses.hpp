// Where the GPUs of this machine are on the PCI bus, without loading a driver's library.
#pragma once

#include <string>
#include <vector>

namespace ddp::os {

struct DeviceAddress {
  std::string address;  // 0000:3b:00.0
  std::string uuid;     // GPU-…; empty: not known
  std::string model;    // empty: not known
};

// In the order of the device's indices where all are of one model. Only devices whose node exists
// here: a container may have fewer than the machine. `root` is "/" except in tests.
std::vector<DeviceAddress> cuda_device_addresses(const std::string& root = "/");
std::vector<DeviceAddress> hip_device_addresses(const std::string& root = "/");
std::vector<DeviceAddress> ze_device_addresses(const std::string& root = "/");

}  // namespace ddp::os
