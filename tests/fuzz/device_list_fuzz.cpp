// --devices (first line) given what the environment makes visible (second line, if there is one).
#include "launcher/device_list.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

using ddp::fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto lines = ddp::fuzz::lines_of(ddp::fuzz::text_of(data, size));
  std::optional<std::vector<std::string>> visible;
  if (lines.size() > 1) visible = ddp::read_visible_devices(lines[1]);
  const ddp::Setting setting{"--devices", lines.empty() ? "" : lines[0]};
  const auto devices = ddp::parse_device_list(setting, visible, "CUDA_VISIBLE_DEVICES");
  if (!devices) {
    ddp::fuzz::require_one_line(devices.error());
    return 0;
  }
  require(!devices->empty(), "a device list names a device");
  for (const auto& device : *devices) {
    require(!device.empty() && device.find(',') == std::string::npos, "a device is one word");
    if (visible)
      require(std::find(visible->begin(), visible->end(), device) != visible->end(),
              "a device is a visible one");
  }
  if (!visible) {
    auto sorted = *devices;
    std::sort(sorted.begin(), sorted.end());
    require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), "no device twice");
  }
  return 0;
}
