#include "launcher/placement/device_nodes.hpp"

#include "common/parse.hpp"
#include "launcher/workers/device_list.hpp"

#include <algorithm>
#include <string_view>

namespace ddp {
namespace {

using Devices = std::vector<os::DeviceAddress>;

bool indices_are_known(DeviceType type, const Devices& devices, const GetEnv& get_env) {
  if (type != DeviceType::cuda) return true;
  const char* const order = get_env("CUDA_DEVICE_ORDER");
  if (order != nullptr && std::string_view(order) == "PCI_BUS_ID") return true;
  return std::all_of(devices.begin(), devices.end(), [&](const os::DeviceAddress& device) {
    return device.model == devices.front().model;
  });
}

// `name` as the visible-devices variable has it: an index, a tile ("0.1") or a UUID, perhaps cut
// short.
std::string address_of(const std::string& name, const Devices& devices, bool indices_known) {
  if (name.starts_with("GPU-")) {
    const auto match = std::find_if(devices.begin(), devices.end(), [&](const auto& device) {
      return device.uuid.starts_with(name);
    });
    return match == devices.end() ? "" : match->address;
  }
  const auto index = parse_integer("", std::string_view(name).substr(0, name.find('.')), 0,
                                   std::ssize(devices) - 1);
  return index && indices_known ? devices[static_cast<std::size_t>(*index)].address : "";
}

}  // namespace

std::vector<std::string> rank_devices(const WorkerOptions& workers, int nproc,
                                      const Devices& devices, const GetEnv& get_env) {
  std::vector<std::string> addresses(static_cast<std::size_t>(nproc));
  if (devices.empty()) return addresses;
  std::vector<std::string> names = workers.devices;
  const char* const variable = visible_devices_variable(workers.device_type);
  const char* const value = variable != nullptr ? get_env(variable) : nullptr;
  if (names.empty() && value != nullptr) {
    names = read_visible_devices(value);
  } else if (names.empty()) {
    for (std::size_t i = 0; i < devices.size(); ++i) names.push_back(std::to_string(i));
  }
  if (names.empty()) return addresses;
  const bool indices_known = indices_are_known(workers.device_type, devices, get_env);
  for (std::size_t rank = 0; rank < addresses.size(); ++rank) {
    const std::size_t index = workers.share_devices ? rank % names.size() : rank;
    if (index < names.size()) addresses[rank] = address_of(names[index], devices, indices_known);
  }
  return addresses;
}

Devices devices_of(DeviceType type, const std::string& root) {
  switch (type) {
    case DeviceType::cuda:
      return os::cuda_device_addresses(root);
    case DeviceType::hip:
      return os::hip_device_addresses(root);
    case DeviceType::ze:
      return os::ze_device_addresses(root);
    case DeviceType::cpu:
    case DeviceType::ascend:  // its driver shows no address without a library
      break;
  }
  return {};
}

std::vector<std::optional<int>> nodes_of(const std::vector<std::string>& addresses,
                                         const Topology& topology) {
  std::vector<std::optional<int>> nodes;
  for (const std::string& address : addresses) {
    nodes.emplace_back();
    for (const PciDevice& device : topology.devices) {
      if (!address.empty() && device.address == address && device.node >= 0)
        nodes.back() = device.node;
    }
  }
  return nodes;
}

}  // namespace ddp
