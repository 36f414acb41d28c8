// A double of libnvidia-ml.so.1: its devices and their processes are the lines of the file that
// DDP_FAKE_NVML names, which is read anew at each nvmlInit_v2:
//   device UUID USED TOTAL     process PID USED (of the device above)     refuse CODE (of init)
// It stands for the driver's interface, not for its behaviour.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

struct Process {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};
struct Device {
  std::string uuid;
  unsigned long long used = 0, total = 0;
  std::vector<Process> processes;
};
struct Memory {
  unsigned long long total, free, used;
};

std::vector<Device> devices;
bool open_now = false;

constexpr int kUninitialized = 1;
constexpr int kInvalid = 2;
constexpr int kInsufficientSize = 7;

}  // namespace

extern "C" {

int nvmlInit_v2() {
  devices.clear();
  const char* const path = std::getenv("DDP_FAKE_NVML");
  std::ifstream file(path == nullptr ? "" : path);
  if (!file) return 9;  // NVML_ERROR_DRIVER_NOT_LOADED
  for (std::string word; file >> word;) {
    if (word == "device") {
      Device device;
      file >> device.uuid >> device.used >> device.total;
      devices.push_back(device);
    } else if (word == "process") {
      Process process{};
      file >> process.pid >> process.used;
      devices.back().processes.push_back(process);
    } else if (word == "refuse") {
      int code = 0;
      file >> code;
      return code;
    }
  }
  open_now = true;
  return 0;
}

int nvmlShutdown() {
  open_now = false;
  return 0;
}

const char* nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "another error"; }

int nvmlDeviceGetCount_v2(unsigned* count) {
  if (!open_now) return kUninitialized;
  *count = static_cast<unsigned>(devices.size());
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  if (index >= devices.size()) return kInvalid;
  *handle = &devices[index];
  return 0;
}

int nvmlDeviceGetUUID(void* handle, char* uuid, unsigned size) {
  const Device& device = *static_cast<Device*>(handle);
  if (device.uuid.size() + 1 > size) return kInsufficientSize;
  std::memcpy(uuid, device.uuid.c_str(), device.uuid.size() + 1);
  return 0;
}

int nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
  const Device& device = *static_cast<Device*>(handle);
  *memory = {device.total, device.total - device.used, device.used};
  return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void* handle, unsigned* count, Process* into) {
  const Device& device = *static_cast<Device*>(handle);
  const auto there = static_cast<unsigned>(device.processes.size());
  const bool fits = *count >= there;
  *count = there;
  if (!fits) return kInsufficientSize;
  for (unsigned i = 0; i < there; ++i) into[i] = device.processes[i];
  return 0;
}

}  // extern "C"
