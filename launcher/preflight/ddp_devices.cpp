// ddp-devices: prints the memory of each NVIDIA device and the processes that hold some of it
// (launcher/preflight/device_report.hpp).
//
// A separate program because the driver's library can only be loaded by a dynamic program, and
// ddp-launch is linked statically. ddp-launch runs it only where there are NVIDIA devices.
#include "launcher/preflight/nvml.hpp"

#include <cstdio>

int main() {
  const auto report = ddp::read_devices();
  if (!report) {
    std::fprintf(stderr, "ddp-devices: %s\n", report.error().c_str());
    return 1;
  }
  const std::string text = ddp::device_report_text(*report);
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? 0 : 1;
}
