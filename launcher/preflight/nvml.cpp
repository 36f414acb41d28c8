#include "launcher/preflight/nvml.hpp"

#include <dlfcn.h>

#include <memory>
#include <utility>
#include <vector>

namespace ddp {
namespace {

// The part of NVML's interface that is used here, from its reference: https://docs.nvidia.com/
// deploy/nvml-api. It is declared anew because nvml.h is part of the CUDA toolkit, which a machine
// that only runs programs does not have.
using Return = int;
constexpr Return kSuccess = 0;
constexpr Return kInsufficientSize = 7;
using Handle = void*;
struct Memory {  // nvmlMemory_t
  unsigned long long total, free, used;
};
struct ProcessInfo {  // nvmlProcessInfo_t of _v2 and _v3
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};
constexpr unsigned long long kNotKnown = ~0ULL;
constexpr unsigned kUuidSize = 96;  // NVML_DEVICE_UUID_V2_BUFFER_SIZE

class Library {
 public:
  Library() : handle_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL), &close) {}

  bool loaded() const { return handle_ != nullptr; }

  template <class Function>
  Function* get(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(handle_.get(), name));
  }

 private:
  static void close(void* handle) {
    if (handle != nullptr) ::dlclose(handle);
  }
  std::unique_ptr<void, void (*)(void*)> handle_;
};

struct Functions {
  Return (*init)();
  Return (*shutdown)();
  const char* (*error)(Return);
  Return (*count)(unsigned*);
  Return (*handle)(unsigned, Handle*);
  Return (*uuid)(Handle, char*, unsigned);
  Return (*memory)(Handle, Memory*);
  Return (*processes)(Handle, unsigned*, ProcessInfo*);
};

// The name of the function that is missing; empty: none is.
std::string find(const Library& library, Functions& functions) {
  std::string missing;
  const auto into = [&]<class Function>(Function*& function, const char* name) {
    function = library.get<Function>(name);
    if (function == nullptr && missing.empty()) missing = name;
  };
  into(functions.init, "nvmlInit_v2");
  into(functions.shutdown, "nvmlShutdown");
  into(functions.error, "nvmlErrorString");
  into(functions.count, "nvmlDeviceGetCount_v2");
  into(functions.handle, "nvmlDeviceGetHandleByIndex_v2");
  into(functions.uuid, "nvmlDeviceGetUUID");
  into(functions.memory, "nvmlDeviceGetMemoryInfo");
  using Processes = Return(Handle, unsigned*, ProcessInfo*);
  // Drivers before 510 have only _v2, whose structure is the same.
  functions.processes = library.get<Processes>("nvmlDeviceGetComputeRunningProcesses_v3");
  if (functions.processes == nullptr)
    into(functions.processes, "nvmlDeviceGetComputeRunningProcesses_v2");
  return missing;
}

// Empty where the driver does not say.
std::vector<DeviceUser> users_of(const Functions& nvml, Handle device) {
  std::vector<ProcessInfo> processes(32);
  auto count = static_cast<unsigned>(processes.size());
  Return result = nvml.processes(device, &count, processes.data());
  // Others may start meanwhile.
  for (int tries = 0; result == kInsufficientSize && tries < 4; ++tries) {
    processes.resize(count + 32);
    count = static_cast<unsigned>(processes.size());
    result = nvml.processes(device, &count, processes.data());
  }
  std::vector<DeviceUser> users;
  if (result != kSuccess) return users;
  for (unsigned i = 0; i < count && i < processes.size(); ++i)
    users.push_back({static_cast<int>(processes[i].pid),
                     processes[i].used == kNotKnown ? 0 : processes[i].used});
  return users;
}

Result<DeviceReport> read_all(const Functions& nvml) {
  unsigned count = 0;
  if (const Return result = nvml.count(&count); result != kSuccess)
    return Error{std::string("nvmlDeviceGetCount_v2: ") + nvml.error(result)};
  DeviceReport report;
  for (unsigned index = 0; index < count; ++index) {
    Handle device = nullptr;
    char uuid[kUuidSize] = "";
    Memory memory{};
    if (nvml.handle(index, &device) != kSuccess || nvml.memory(device, &memory) != kSuccess ||
        nvml.uuid(device, uuid, sizeof uuid) != kSuccess)
      continue;
    report.push_back(
        {static_cast<int>(index), uuid, memory.used, memory.total, users_of(nvml, device)});
  }
  return report;
}

}  // namespace

Result<DeviceReport> read_devices() {
  const Library library;
  if (!library.loaded()) return Error{::dlerror()};
  Functions nvml{};
  if (const std::string missing = find(library, nvml); !missing.empty())
    return Error{"libnvidia-ml.so.1 has no " + missing};
  if (const Return result = nvml.init(); result != kSuccess)
    return Error{std::string("nvmlInit_v2: ") + nvml.error(result)};
  auto report = read_all(nvml);
  nvml.shutdown();
  return report;
}

}  // namespace ddp
