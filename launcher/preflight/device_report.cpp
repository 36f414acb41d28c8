#include "launcher/preflight/device_report.hpp"

#include "common/parse.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace ddp {
namespace {

constexpr std::string_view kHead = "ddp-devices 1";
constexpr std::string_view kEnd = "end";

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t blank = line.find(' ');
    words.push_back(line.substr(0, blank));
    if (blank == std::string_view::npos) return words;
    line.remove_prefix(blank + 1);
  }
}

std::optional<int> small(std::string_view word) {
  const auto number = parse_integer("", word, 0, std::numeric_limits<int>::max());
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<std::uint64_t> bytes(std::string_view word) {
  const auto number = parse_integer("", word, 0, std::numeric_limits<std::int64_t>::max());
  if (!number) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

DeviceMemory* find(DeviceReport& report, int index) {
  const auto found = std::find_if(report.begin(), report.end(),
                                  [index](const auto& one) { return one.index == index; });
  return found == report.end() ? nullptr : &*found;
}

bool add_device(const std::vector<std::string_view>& words, DeviceReport& report) {
  if (words.size() != 7 || words[2].empty() || words[3] != "used" || words[5] != "of") return false;
  const auto index = small(words[1]);
  const auto used = bytes(words[4]);
  const auto total = bytes(words[6]);
  if (!index || !used || !total || find(report, *index) != nullptr) return false;
  report.push_back({*index, std::string(words[2]), *used, *total, {}});
  return true;
}

bool add_process(const std::vector<std::string_view>& words, DeviceReport& report) {
  if (words.size() != 4) return false;
  const auto index = small(words[1]);
  const auto pid = small(words[2]);
  const auto used = bytes(words[3]);
  DeviceMemory* const device = index ? find(report, *index) : nullptr;
  if (device == nullptr || !pid || !used) return false;
  device->users.push_back({*pid, *used});
  return true;
}

}  // namespace

std::string device_report_text(const DeviceReport& report) {
  std::string text = std::string(kHead) + "\n";
  for (const auto& device : report) {
    text += "device " + std::to_string(device.index) + " " + device.uuid + " used " +
            std::to_string(device.used) + " of " + std::to_string(device.total) + "\n";
    for (const auto& user : device.users)
      text += "process " + std::to_string(device.index) + " " + std::to_string(user.pid) + " " +
              std::to_string(user.bytes) + "\n";
  }
  return text + std::string(kEnd) + "\n";
}

Result<DeviceReport> parse_device_report(std::string_view text) {
  const auto refused = [](std::string_view line) {
    return Error{"ddp-devices printed '" + std::string(line.substr(0, 100)) +
                 "', which this ddp-launch does not read"};
  };
  DeviceReport report;
  bool begun = false;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    if (newline == std::string_view::npos) return refused(line);
    text.remove_prefix(newline + 1);
    const auto words = words_of(line);
    if (!begun) {
      if (line != kHead) return refused(line);
      begun = true;
    } else if (line == kEnd) {
      if (!text.empty()) return refused(text);
      return report;
    } else if (!(words[0] == "device" && add_device(words, report)) &&
               !(words[0] == "process" && add_process(words, report))) {
      return refused(line);
    }
  }
  return refused("no end");
}

}  // namespace ddp
