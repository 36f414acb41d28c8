// Which devices, how many workers, and whether each worker has one.
#include "launcher/cli/options_check.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/settings/reader.hpp"
#include "launcher/workers/device_list.hpp"

#include <algorithm>

namespace ddp {
namespace {

constexpr std::int64_t kMostWorkers = 4096;

class WorkersChecker : SettingsReader {
 public:
  WorkersChecker(const Settings& settings, const Machine& machine, Options& options)
      : SettingsReader(settings), machine_(machine), options_(options) {}

  Failure run() {
    options_.workers.virtual_local_rank = toggle(Flag::virtual_local_rank);
    options_.workers.share_devices = toggle(Flag::oversubscribe);
    if (auto failure = device_type()) return failure;
    if (auto failure = devices()) return failure;
    if (auto failure = workers()) return failure;
    return device_per_rank();
  }

 private:
  Failure device_type() {
    return choice<DeviceType>(Flag::device_type,
                              {{"cpu", DeviceType::cpu},
                               {"cuda", DeviceType::cuda},
                               {"ascend", DeviceType::ascend},
                               {"hip", DeviceType::hip},
                               {"ze", DeviceType::ze}},
                              options_.workers.device_type);
  }

  // What the environment lets every program started here see; none: it does not say.
  std::optional<std::vector<std::string>> visible() const {
    const char* const variable = visible_devices_variable(options_.workers.device_type);
    const char* const value = variable != nullptr ? machine_.get_env(variable) : nullptr;
    if (value == nullptr) return std::nullopt;
    return read_visible_devices(value);
  }

  Failure devices() {
    const Setting* const setting = given(Flag::devices);
    if (setting == nullptr) return std::nullopt;
    const char* const variable = visible_devices_variable(options_.workers.device_type);
    if (variable == nullptr)
      return refusal(*setting, "no devices beside --device-type cpu, which has none to choose");
    auto list = parse_device_list(*setting, visible(), variable);
    if (!list) return Error{list.error()};
    options_.workers.devices = std::move(*list);
    return std::nullopt;
  }

  // The devices the workers can share; none: this kind cannot be counted here.
  std::optional<int> count_devices() const {
    if (!options_.workers.devices.empty()) return static_cast<int>(options_.workers.devices.size());
    int installed = 0;
    switch (options_.workers.device_type) {
      case DeviceType::cpu:
        return 0;
      case DeviceType::cuda:
        installed = os::count_cuda_devices(machine_.root);
        break;
      case DeviceType::hip:
        installed = os::count_hip_devices(machine_.root);
        break;
      case DeviceType::ascend:
        installed = os::count_ascend_devices(machine_.root);
        break;
      case DeviceType::ze:
        return std::nullopt;
    }
    const auto listed = visible();
    if (!listed) return installed;
    // A MIG slice is a device of its own; anything else cannot be more than there is.
    const auto slices =
        std::count_if(listed->begin(), listed->end(),
                      [](const std::string& device) { return device.starts_with("MIG-"); });
    if (installed == 0) return 0;
    const int whole = static_cast<int>(listed->size()) - static_cast<int>(slices);
    return std::min(whole, installed) + static_cast<int>(slices);
  }

  Failure workers() {
    const Setting* const setting = given(Flag::nproc);
    if (setting != nullptr && setting->text == "cpu") {
      options_.ranks.nproc = machine_.cpus;
    } else if (setting != nullptr && (setting->text == "gpu" || setting->text == "auto")) {
      const bool automatic = setting->text == "auto";
      const int devices = count_devices().value_or(0);
      if (devices == 0 && !automatic)
        return refusal(*setting, std::string("a number, because no ") +
                                     name_of(options_.workers.device_type) +
                                     " device is seen here");
      options_.ranks.nproc = devices > 0 ? devices : machine_.cpus;
    } else if (setting != nullptr) {
      const auto value = parse_integer("", setting->text, 1, kMostWorkers);
      if (!value)
        return refusal(
            *setting, "a number from 1 to " + std::to_string(kMostWorkers) + ", or auto, cpu, gpu");
      options_.ranks.nproc = static_cast<int>(*value);
    }
    return std::nullopt;
  }

  // Every rank needs a device of its own, or with --oversubscribe some device: LOCAL_RANK is an
  // index into them, modulo their number.
  Failure device_per_rank() {
    const auto size = static_cast<std::size_t>(options_.ranks.nproc);
    const std::string needed =
        options_.ranks.nproc == 1 ? "a device" : std::to_string(options_.ranks.nproc) + " devices";
    const std::size_t least = options_.workers.share_devices ? 1 : size;
    if (options_.workers.device_type == DeviceType::cpu ||
        count_devices().value_or(0) >= options_.ranks.nproc)
      options_.workers.share_devices = false;
    if (!options_.workers.devices.empty()) {
      if (options_.workers.devices.size() < least) {
        return refusal(*given(Flag::devices), needed +
                                                  ", one for each rank of this machine, or "
                                                  "--oversubscribe to share them");
      }
      deal_out(size);
      return std::nullopt;
    }
    if (!options_.workers.virtual_local_rank || options_.workers.device_type == DeviceType::cpu)
      return std::nullopt;
    auto listed = visible();
    const auto count = count_devices();
    const std::size_t known = listed ? listed->size() : static_cast<std::size_t>(count.value_or(0));
    if (known < least) {
      return Error{given(Flag::virtual_local_rank)->what + " needs " + needed +
                   ", one for each rank, and " +
                   (count ? "sees " + std::to_string(known) : "cannot count them here") +
                   ": expected --devices to name them, or --device-type cpu"};
    }
    for (std::size_t i = 0; i < std::min(size, known); ++i)
      options_.workers.devices.push_back(listed ? (*listed)[i] : std::to_string(i));
    deal_out(size);
    return std::nullopt;
  }

  // Under --virtual-local-rank the list has an entry for each rank, here round robin.
  void deal_out(std::size_t size) {
    const std::size_t there = options_.workers.devices.size();
    if (!options_.workers.virtual_local_rank) return;
    for (std::size_t i = there; i < size; ++i)
      options_.workers.devices.push_back(options_.workers.devices[i - there]);
  }

  const Machine& machine_;
  Options& options_;
};

}  // namespace

Failure check_workers(const Settings& settings, const Machine& machine, Options& options) {
  return WorkersChecker(settings, machine, options).run();
}

}  // namespace ddp
