#include "launcher/workers/device_type.hpp"

#include "common/env_names.hpp"

namespace ddp {

const char* name_of(DeviceType type) {
  switch (type) {
    case DeviceType::cpu:
      return "cpu";
    case DeviceType::cuda:
      return "cuda";
    case DeviceType::ascend:
      return "ascend";
    case DeviceType::hip:
      return "hip";
    case DeviceType::ze:
      return "ze";
  }
  return "?";
}

const char* visible_devices_variable(DeviceType type) {
  switch (type) {
    case DeviceType::cpu:
      return nullptr;
    case DeviceType::cuda:
      return env::kCudaVisibleDevices;
    case DeviceType::ascend:
      return env::kAscendVisibleDevices;
    case DeviceType::hip:
      return env::kHipVisibleDevices;
    case DeviceType::ze:
      return env::kZeAffinityMask;
  }
  return nullptr;
}

}  // namespace ddp
