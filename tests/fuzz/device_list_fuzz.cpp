// --devices (first line) given what the environment makes visible (second line, if there is one).
#include "launcher/workers/device_list.hpp"
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
    ddp::fuzz::require_one_line(devices.error(), setting.text);
    return 0;
  }
  require(!devices->empty(), "a device list names a device");
  // A UUID is known to be visible only if the visible ones are UUIDs as well.
  const bool by_index = setting.text.find_first_not_of("0123456789,-") == std::string::npos;
  for (const auto& device : *devices) {
    require(!device.empty() && device.find(',') == std::string::npos, "a device is one word");
    if (visible && by_index)
      require(std::find(visible->begin(), visible->end(), device) != visible->end(),
              "an index counts the visible devices");
  }
  if (!visible) {
    auto sorted = *devices;
    std::sort(sorted.begin(), sorted.end());
    require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), "no device twice");
  }
  return 0;
}
