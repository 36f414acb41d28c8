#include "launcher/workers/options.hpp"

#include "launcher/os/devices.hpp"
#include "launcher/workers/device_list.hpp"

#include <algorithm>

namespace ddp {
namespace {

constexpr std::int64_t kMostWorkers = 4096;
constexpr std::size_t kLongestRole = 64;

constexpr std::string_view kWorkers = "Workers";

constexpr FlagSpec kFlags[] = {
    {"--nproc,--nproc-per-node", "N|auto|cpu|gpu|xpu", ValueKind::number, "1", kWorkers,
     "workers on this machine, 1 to 4096; gpu: one per visible GPU; xpu: one per Intel GPU, with "
     "--device-type ze; cpu: one per usable CPU; auto: gpu where there is one, else cpu"},
    {"--devices", "LIST", ValueKind::list, "all visible", kWorkers,
     "the devices to use: indices, ranges or UUIDs (2,5 or 0-3 or GPU-8a1b…); indices count the "
     "devices visible to ddp-launch"},
    {"--device-type", "TYPE", ValueKind::text, "cuda", kWorkers,
     "cpu, cuda, ascend (or npu), hip or ze: which variable names the devices"},
    {"--virtual-local-rank", "", ValueKind::toggle, "off", kWorkers,
     "each worker sees only its own device, and LOCAL_RANK is 0"},
    {"--oversubscribe", "", ValueKind::toggle, "off", kWorkers,
     "let ranks share a device where there are fewer, for development; sets NCCL's "
     "multi-rank-per-GPU variables"},
    {"--role", "NAME", ValueKind::text, "default", kWorkers,
     "name of the workers' role, for ROLE_NAME and {role}"},
    {"--stdin", "RANK", ValueKind::number, "none", kWorkers,
     "the rank that reads ddp-launch's input; the others read /dev/null"},
};

// Which devices, how many workers, and whether each worker has one.
class WorkersReader : SettingsReader {
 public:
  WorkersReader(const SettingsReader& reader, const Hardware& hardware, core::RankGroup& ranks,
                WorkerOptions& options)
      : SettingsReader(reader), hardware_(hardware), ranks_(ranks), options_(options) {}

  Failure run() {
    options_.virtual_local_rank = toggle("--virtual-local-rank");
    options_.share_devices = toggle("--oversubscribe");
    if (auto failure = role()) return failure;
    if (auto failure = device_type()) return failure;
    if (auto failure = devices()) return failure;
    if (auto failure = workers()) return failure;
    return device_per_rank();
  }

 private:
  Failure role() {
    const Setting* const setting = given("--role");
    if (setting == nullptr) return std::nullopt;
    const bool printable = std::none_of(setting->text.begin(), setting->text.end(),
                                        [](unsigned char c) { return c < ' ' || c == 0x7f; });
    if (setting->text.empty() || setting->text.size() > kLongestRole || !printable)
      return refusal(*setting, "1 to 64 bytes without control characters");
    options_.role = setting->text;
    return std::nullopt;
  }

  Failure device_type() {
    const Setting* const nproc = given("--nproc");
    const bool xpu = nproc != nullptr && nproc->text == "xpu";
    if (xpu) options_.device_type = DeviceType::ze;
    if (auto failure = read_device_type()) return failure;
    if (xpu && options_.device_type != DeviceType::ze)
      return refusal(*nproc, std::string("gpu, because xpu counts devices of type ze and "
                                         "--device-type is ") +
                                 name_of(options_.device_type));
    return std::nullopt;
  }

  Failure read_device_type() {
    return choice<DeviceType>("--device-type",
                              {{"cpu", DeviceType::cpu},
                               {"cuda", DeviceType::cuda},
                               {"ascend", DeviceType::ascend},
                               {"npu", DeviceType::ascend},  // PyTorch's name
                               {"hip", DeviceType::hip},
                               {"ze", DeviceType::ze}},
                              options_.device_type);
  }

  // What the environment lets every program started here see; none: it does not say.
  std::optional<std::vector<std::string>> visible() const {
    const char* const variable = visible_devices_variable(options_.device_type);
    const char* const value = variable != nullptr ? hardware_.get_env(variable) : nullptr;
    if (value == nullptr) return std::nullopt;
    return read_visible_devices(value);
  }

  Failure devices() {
    const Setting* const setting = given("--devices");
    if (setting == nullptr) return std::nullopt;
    const char* const variable = visible_devices_variable(options_.device_type);
    if (variable == nullptr)
      return refusal(*setting, "no --devices with --device-type cpu, which has none to choose");
    auto list = parse_device_list(*setting, visible(), variable);
    if (!list) return Error{list.error()};
    options_.devices = std::move(*list);
    return std::nullopt;
  }

  // The devices the workers can share.
  int count_devices() const {
    if (!options_.devices.empty()) return static_cast<int>(options_.devices.size());
    int installed = 0;
    switch (options_.device_type) {
      case DeviceType::cpu:
        return 0;
      case DeviceType::cuda:
        installed = os::count_cuda_devices(hardware_.root);
        break;
      case DeviceType::hip:
        installed = os::count_hip_devices(hardware_.root);
        break;
      case DeviceType::ascend:
        installed = os::count_ascend_devices(hardware_.root);
        break;
      case DeviceType::ze:
        installed = os::count_ze_devices(hardware_.root);
        break;
    }
    const auto listed = visible();
    if (!listed) return installed;
    // A MIG slice is a separate device, and so is a tile of an Intel card ("0.1"); anything else
    // cannot be more than is installed.
    const auto slices =
        std::count_if(listed->begin(), listed->end(), [](const std::string& device) {
          return device.starts_with("MIG-") || device.find('.') != std::string::npos;
        });
    if (installed == 0) return 0;
    const int whole = static_cast<int>(listed->size()) - static_cast<int>(slices);
    return std::min(whole, installed) + static_cast<int>(slices);
  }

  Failure workers() {
    const Setting* const setting = given("--nproc");
    if (setting != nullptr && setting->text == "cpu") {
      ranks_.nproc = hardware_.cpus;
    } else if (setting != nullptr &&
               (setting->text == "gpu" || setting->text == "xpu" || setting->text == "auto")) {
      const bool automatic = setting->text == "auto";
      const int devices = count_devices();
      if (devices == 0 && !automatic)
        return refusal(*setting, std::string("a number, because no ") +
                                     name_of(options_.device_type) + " device is seen here");
      ranks_.nproc = devices > 0 ? devices : hardware_.cpus;
    } else if (setting != nullptr) {
      const auto value = parse_integer("", setting->text, 1, kMostWorkers);
      if (!value)
        return refusal(*setting, "a number from 1 to " + std::to_string(kMostWorkers) +
                                     ", or auto, cpu, gpu, xpu");
      ranks_.nproc = static_cast<int>(*value);
    }
    return std::nullopt;
  }

  // Every rank needs its own device, or with --oversubscribe any device: LOCAL_RANK is an
  // index into them, modulo their number.
  Failure device_per_rank() {
    const auto size = static_cast<std::size_t>(ranks_.nproc);
    const std::string needed =
        ranks_.nproc == 1 ? "a device" : std::to_string(ranks_.nproc) + " devices";
    const std::size_t least = options_.share_devices ? 1 : size;
    options_.visible_devices = count_devices();
    if (options_.device_type == DeviceType::cpu || options_.visible_devices >= ranks_.nproc)
      options_.share_devices = false;
    if (!options_.devices.empty()) {
      if (options_.devices.size() < least) {
        return refusal(*given("--devices"), needed +
                                                ", one for each rank of this machine, or "
                                                "--oversubscribe to share them");
      }
      deal_out(size);
      return std::nullopt;
    }
    if (!options_.virtual_local_rank || options_.device_type == DeviceType::cpu)
      return std::nullopt;
    auto listed = visible();
    const auto count = static_cast<std::size_t>(options_.visible_devices);
    const std::size_t known = listed ? listed->size() : count;
    if (known < least) {
      return Error{given("--virtual-local-rank")->what + " needs " + needed +
                   ", one for each rank, and sees " + std::to_string(known) +
                   ": expected --devices to name them, or --device-type cpu"};
    }
    for (std::size_t i = 0; i < std::min(size, known); ++i)
      options_.devices.push_back(listed ? (*listed)[i] : std::to_string(i));
    deal_out(size);
    return std::nullopt;
  }

  // Under --virtual-local-rank the list has an entry for each rank, here round robin.
  void deal_out(std::size_t size) {
    const std::size_t there = options_.devices.size();
    if (!options_.virtual_local_rank) return;
    for (std::size_t i = there; i < size; ++i)
      options_.devices.push_back(options_.devices[i - there]);
  }

  const Hardware& hardware_;
  core::RankGroup& ranks_;
  WorkerOptions& options_;
};

}  // namespace

std::span<const FlagSpec> worker_flags() { return kFlags; }

Failure read_workers(const SettingsReader& reader, const Hardware& hardware, core::RankGroup& ranks,
                     WorkerOptions& options) {
  return WorkersReader(reader, hardware, ranks, options).run();
}

Failure read_stdin(const SettingsReader& reader, const core::RankGroup& ranks,
                   WorkerOptions& options) {
  const Setting* const setting = reader.given("--stdin");
  if (setting == nullptr) return std::nullopt;
  const int last = ranks.world_size() - 1;
  const auto rank = parse_integer(setting->what, setting->text, 0, last);
  if (!rank)
    return refusal(*setting, last == 0 ? std::string("rank 0, the only one")
                                       : "a rank from 0 to " + std::to_string(last));
  options.stdin_rank = ranks.local({static_cast<int>(*rank)});
  return std::nullopt;
}

}  // namespace ddp
