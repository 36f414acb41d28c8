#include "tests/gpu_sim/runtime/settings.hpp"

#include "tests/gpu_sim/runtime/misuse.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace ddp::gpu_sim {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return otherwise;
  const auto value = number(text);
  if (!value) misuse(std::string(name) + " is '" + text + "': expected a number");
  return *value;
}

// "1@200": on rank 1, after 200. Of the first attempt alone, so that a restarted group goes on.
std::optional<Moment> moment_of(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view all = text;
  const std::size_t at = all.find('@');
  if (at != std::string_view::npos) {
    const auto rank = number(all.substr(0, at));
    const auto count = number(all.substr(at + 1));
    if (rank && count) {
      if (number_of("TORCHELASTIC_RESTART_COUNT", 0) > 0) return std::nullopt;
      return Moment{static_cast<int>(*rank), *count};
    }
  }
  misuse(std::string(name) + " is '" + text + "': expected <rank>@<count>");
}

// CUDA_VISIBLE_DEVICES lists indices or UUIDs; as in CUDA, the first that does not exist ends it,
// and with one that is listed twice there is none.
std::vector<int> visible_devices() {
  const auto count = static_cast<int>(number_of("DDP_SIM_DEVICES", 1));
  std::vector<int> visible;
  const char* const list = std::getenv("CUDA_VISIBLE_DEVICES");
  if (list == nullptr) {
    for (int device = 0; device < count; ++device) visible.push_back(device);
    return visible;
  }
  std::istringstream entries(list);
  for (std::string entry; std::getline(entries, entry, ',');) {
    constexpr std::string_view kUuid = "GPU-sim-";  // as nvidia-smi -L of this folder prints them
    const std::string_view text = entry;
    const auto index = number(text.starts_with(kUuid) ? text.substr(kUuid.size()) : text);
    if (!index || *index >= static_cast<std::uint64_t>(count)) break;
    const int device = static_cast<int>(*index);
    if (std::find(visible.begin(), visible.end(), device) != visible.end()) return {};
    visible.push_back(device);
  }
  return visible;
}

Settings read() {
  Settings s;
  s.devices = visible_devices();
  s.memory = number_of("DDP_SIM_MEMORY", std::size_t{4} << 30);
  s.rank = static_cast<int>(number_of("RANK", 0));
  s.seed = number_of("DDP_SIM_SEED", 1) * 1000003 + static_cast<std::uint64_t>(s.rank);
  s.jitter_us = static_cast<int>(number_of("DDP_SIM_JITTER_US", 200));
  s.driver_version = static_cast<int>(number_of("DDP_SIM_DRIVER_VERSION", 13000));
  s.nccl_version = static_cast<int>(number_of("DDP_SIM_NCCL_VERSION", 22803));
  s.lost_device = moment_of("DDP_SIM_LOSE_DEVICE");
  s.nccl_error = moment_of("DDP_SIM_NCCL_ERROR");
  s.nccl_hang = moment_of("DDP_SIM_NCCL_HANG");
  s.nccl_abort_hangs = number_of("DDP_SIM_NCCL_ABORT_HANGS", 0) != 0;
  return s;
}

}  // namespace

const Settings& settings() {
  static const auto* const read_once = new Settings(read());  // streams use it until the very end
  return *read_once;
}

}  // namespace ddp::gpu_sim
