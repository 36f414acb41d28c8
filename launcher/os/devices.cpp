#include "launcher/os/devices.hpp"

#include "launcher/os/affinity.hpp"

#include <dirent.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>
#include <string_view>

namespace ddp::os {
namespace {

// Counts the entries of a directory that `accept` accepts; 0 where the directory does not exist.
template <class Accept>
int count_entries(const std::string& directory, Accept accept) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  if (!open) return 0;
  int count = 0;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && accept(name)) ++count;
  }
  return count;
}

bool numbered(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return false;
  name.remove_prefix(prefix.size());
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

int count_cuda_devices(const std::string& root) {
  const int nodes =
      count_entries(root + "/dev", [](std::string_view name) { return numbered(name, "nvidia"); });
  if (nodes > 0) return nodes;
  return count_entries(root + "/proc/driver/nvidia/gpus", [](std::string_view) { return true; });
}

int count_hip_devices(const std::string& root) {
  const std::string nodes = root + "/sys/class/kfd/kfd/topology/nodes";
  return count_entries(nodes, [&](std::string_view name) {
    // A CPU's node has gpu_id 0; a node that this process may not use cannot be read.
    const std::string path = nodes + "/" + std::string(name) + "/gpu_id";
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
    unsigned long id = 0;
    return file && std::fscanf(file.get(), "%lu", &id) == 1 && id != 0;
  });
}

int count_ascend_devices(const std::string& root) {
  return count_entries(root + "/dev",
                       [](std::string_view name) { return numbered(name, "davinci"); });
}

int count_ze_devices(const std::string& root) {
  return count_entries(root + "/dev/dri", [&](std::string_view name) {
    if (!numbered(name, "renderD")) return false;
    const std::string path = root + "/sys/class/drm/" + std::string(name) + "/device/vendor";
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
    constexpr unsigned kIntel = 0x8086;
    unsigned vendor = 0;
    return file && std::fscanf(file.get(), "%x", &vendor) == 1 && vendor == kIntel;
  });
}

int count_cpus() { return std::max(1, static_cast<int>(allowed_cpus().size())); }

}  // namespace ddp::os
