#include "launcher/workers/device_list.hpp"

#include "common/parse.hpp"
#include "launcher/settings/comma_list.hpp"

#include <algorithm>
#include <cctype>

namespace ddp {
namespace {

constexpr std::int64_t kMostDevices = 4096;

std::optional<std::size_t> device_index(std::string_view text) {
  // "07" and "7" would be one device under two names.
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  const auto index = parse_integer("", text, 0, kMostDevices - 1);
  if (!index) return std::nullopt;
  return static_cast<std::size_t>(*index);
}

bool is_uuid(std::string_view text) {
  const std::size_t prefix = 4;
  if (!text.starts_with("GPU-") && !text.starts_with("MIG-")) return false;
  return text.size() > prefix && text.size() <= 128 &&
         std::all_of(text.begin() + prefix, text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '/';  // MIG-GPU-<uuid>/<gi>/<ci>
         });
}

// The devices one word stands for, as system indices or one UUID.
std::optional<std::vector<std::string>> expand(std::string_view word) {
  if (is_uuid(word)) return std::vector<std::string>{std::string(word)};
  const std::size_t dash = word.find('-');
  const auto first = device_index(word.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : device_index(word.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  std::vector<std::string> devices;
  for (std::size_t index = *first; index <= *last; ++index)
    devices.push_back(std::to_string(index));
  return devices;
}

}  // namespace

Result<std::vector<std::string>> parse_device_list(
    const Setting& setting, const std::optional<std::vector<std::string>>& visible,
    std::string_view variable) {
  std::vector<std::string> chosen;
  for (const std::string_view word : split_at_commas(setting.text)) {
    const auto devices = expand(word);
    if (!devices)
      return refusal(setting, "indices, ranges or UUIDs, such as 2,5 or 0-3 or GPU-8a1b, not '" +
                                  std::string(word) + "'");
    for (std::string device : *devices) {
      if (visible && !is_uuid(device)) {
        const std::size_t index = *device_index(device);
        if (index >= visible->size()) {
          return refusal(
              setting,
              visible->empty()
                  ? "no device at all, because " + std::string(variable) + " hides every one"
                  : "indices 0 to " + std::to_string(visible->size() - 1) + ", because " +
                        std::string(variable) + " shows " + std::to_string(visible->size()) +
                        ", not '" + device + "'");
        }
        device = (*visible)[index];
      }
      if (std::find(chosen.begin(), chosen.end(), device) != chosen.end())
        return refusal(setting, "each device once, not '" + device + "' twice");
      chosen.push_back(std::move(device));
    }
  }
  return chosen;
}

std::vector<std::string> read_visible_devices(std::string_view value) {
  std::vector<std::string> devices;
  for (std::string_view word : split_at_commas(value)) {
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const bool device = !word.empty() && (std::isdigit(static_cast<unsigned char>(word[0])) != 0 ||
                                          word.starts_with("GPU-") || word.starts_with("MIG-"));
    if (!device) break;
    devices.emplace_back(word);
  }
  return devices;
}

}  // namespace ddp
