// Near which NUMA node each rank's device is.
#pragma once

#include "common/get_env.hpp"
#include "launcher/os/device_addresses.hpp"
#include "launcher/placement/topology.hpp"
#include "launcher/workers/options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp {

// By local rank: the PCI address of the device that LOCAL_RANK selects; empty where it is not
// known. An index is known where all devices are of one model, or CUDA_DEVICE_ORDER is PCI_BUS_ID:
// otherwise CUDA sorts them by speed. A UUID is known where the driver shows it; a slice (MIG-…) is
// not.
std::vector<std::string> rank_devices(const WorkerOptions& workers, int nproc,
                                      const std::vector<os::DeviceAddress>& devices,
                                      const GetEnv& get_env);

// The devices of the workers' type on this machine.
std::vector<os::DeviceAddress> devices_of(DeviceType type, const std::string& root);

std::vector<std::optional<int>> nodes_of(const std::vector<std::string>& addresses,
                                         const Topology& topology);

}  // namespace ddp
