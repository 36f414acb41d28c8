#include "launcher/placement/hwloc_topology.hpp"

#include <hwloc.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace ddp {
namespace {

int index_of(hwloc_obj_t object) {
  return object == nullptr ? -1 : static_cast<int>(object->logical_index);
}

// Memory of several kinds next to the same CPUs (DRAM and HBM) has a node each; ranks get the
// first, which is the ordinary memory.
int node_of(hwloc_obj_t object) { return hwloc_bitmap_first(object->nodeset); }

bool is_accelerator(hwloc_obj_t device) {
  constexpr unsigned kDisplay = 0x03;
  constexpr unsigned kAccelerator = 0x12;
  const unsigned kind = device->attr->pcidev.class_id >> 8U;
  return kind == kDisplay || kind == kAccelerator;
}

std::string address_of(hwloc_obj_t device) {
  const auto& pci = device->attr->pcidev;
  char text[32];
  std::snprintf(text, sizeof text, "%04x:%02x:%02x.%01x", static_cast<unsigned>(pci.domain),
                static_cast<unsigned>(pci.bus), static_cast<unsigned>(pci.dev),
                static_cast<unsigned>(pci.func));
  return text;
}

Error failed(const char* step) {
  return Error{std::string("hwloc cannot ") + step + ": " + std::strerror(errno)};
}

}  // namespace

Result<Topology> read_topology(const char* synthetic) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return failed("start");
  const std::unique_ptr<hwloc_topology, void (*)(hwloc_topology_t)> owner(raw,
                                                                          hwloc_topology_destroy);
  if (synthetic != nullptr && hwloc_topology_set_synthetic(raw, synthetic) != 0)
    return failed("read the description of the machine");
  // Devices alone, without what the system makes of them (disks, network interfaces): finding those
  // takes longer.
  if (hwloc_topology_set_type_filter(raw, HWLOC_OBJ_PCI_DEVICE, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) !=
      0)
    return failed("list PCI devices");
  if (hwloc_topology_load(raw) != 0) return failed("read this machine");

  Topology topology;
  topology.here = hwloc_topology_is_thissystem(raw) != 0;
  for (hwloc_obj_t cpu = nullptr;
       (cpu = hwloc_get_next_obj_by_type(raw, HWLOC_OBJ_PU, cpu)) != nullptr;) {
    topology.cpus.push_back(
        {.number = static_cast<int>(cpu->os_index),
         .core = index_of(hwloc_get_ancestor_obj_by_type(raw, HWLOC_OBJ_CORE, cpu)),
         .cache = index_of(hwloc_get_ancestor_obj_by_type(raw, HWLOC_OBJ_L3CACHE, cpu)),
         .node = node_of(cpu),
         .package = index_of(hwloc_get_ancestor_obj_by_type(raw, HWLOC_OBJ_PACKAGE, cpu))});
  }
  for (hwloc_obj_t device = nullptr; (device = hwloc_get_next_pcidev(raw, device)) != nullptr;) {
    if (!is_accelerator(device)) continue;
    const hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(raw, device);
    const bool near_one = near != nullptr && hwloc_bitmap_weight(near->nodeset) == 1;
    topology.devices.push_back({address_of(device), near_one ? node_of(near) : -1});
  }
  return topology;
}

}  // namespace ddp
