#include "launcher/os/device_addresses.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

namespace ddp::os {
namespace {

namespace fs = std::filesystem;

// The names in a directory; none where it does not exist.
std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end;
       it.increment(failed))
    names.push_back(it->path().filename().string());
  return names;
}

std::optional<unsigned> number_after(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

// The value of a line "<key><blanks><value>".
std::string value_of(const fs::path& file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const auto begin = line.find_first_not_of(" \t", key.size());
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

bool is_there(const fs::path& path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

}  // namespace

std::vector<DeviceAddress> cuda_device_addresses(const std::string& root) {
  const fs::path gpus = fs::path(root) / "proc/driver/nvidia/gpus";
  auto names = names_in(gpus);
  std::sort(names.begin(), names.end());
  std::vector<DeviceAddress> devices;
  for (const std::string& name : names) {
    const fs::path information = gpus / name / "information";
    const std::string minor = value_of(information, "Device Minor:");
    if (minor.empty() || !is_there(fs::path(root) / "dev" / ("nvidia" + minor))) continue;
    devices.push_back({name, value_of(information, "GPU UUID:"), value_of(information, "Model:")});
  }
  return devices;
}

std::vector<DeviceAddress> hip_device_addresses(const std::string& root) {
  const fs::path nodes = fs::path(root) / "sys/class/kfd/kfd/topology/nodes";
  std::vector<std::pair<unsigned, std::string>> gpus;
  for (const std::string& name : names_in(nodes)) {
    const auto number = number_after(name, "");
    std::ifstream file(nodes / name / "gpu_id");
    unsigned long id = 0;
    if (number && file >> id && id != 0) gpus.emplace_back(*number, name);
  }
  std::sort(gpus.begin(), gpus.end());
  std::vector<DeviceAddress> devices;
  for (const auto& [number, name] : gpus) {
    const fs::path properties = nodes / name / "properties";
    const auto location = number_after(value_of(properties, "location_id "), "");
    const auto domain = number_after(value_of(properties, "domain "), "");
    char text[32] = "";
    // Bus, device and function, as a PCI address has them.
    if (location)
      std::snprintf(text, sizeof text, "%04x:%02x:%02x.%x", domain.value_or(0),
                    *location >> 8U & 0xffU, *location >> 3U & 0x1fU, *location & 7U);
    devices.push_back({text, "", ""});
  }
  return devices;
}

std::vector<DeviceAddress> ze_device_addresses(const std::string& root) {
  std::vector<DeviceAddress> devices;
  for (const std::string& name : names_in(fs::path(root) / "dev/dri")) {
    if (!number_after(name, "renderD")) continue;
    const fs::path device = fs::path(root) / "sys/class/drm" / name / "device";
    std::ifstream file(device / "vendor");
    std::string vendor;
    if (!(file >> vendor) || vendor != "0x8086") continue;
    std::error_code failed;
    const fs::path target = fs::canonical(device, failed);
    devices.push_back({failed ? "" : target.filename().string(), "", ""});
  }
  std::sort(devices.begin(), devices.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  return devices;
}

}  // namespace ddp::os
