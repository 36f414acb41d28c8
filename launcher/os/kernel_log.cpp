#include "launcher/os/kernel_log.hpp"

#include <sys/klog.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace ddp::os {
namespace {

constexpr int kReadAll = 3;  // SYSLOG_ACTION_READ_ALL
constexpr std::size_t kBytes = 16384;
constexpr std::chrono::seconds kDrift{2};

bool take(std::string_view& text, char first) {
  if (text.empty() || text.front() != first) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1'000'000'000'000) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Takes "<6>[42687.675884] " from the line.
std::optional<std::chrono::microseconds> take_time(std::string_view& line) {
  if (!take(line, '<') || !take_number(line) || !take(line, '>') || !take(line, '['))
    return std::nullopt;
  while (take(line, ' ')) continue;
  const auto seconds = take_number(line);
  if (!seconds || !take(line, '.')) return std::nullopt;
  const auto micros = take_number(line);
  if (!micros || !take(line, ']')) return std::nullopt;
  take(line, ' ');
  return std::chrono::seconds(*seconds) + std::chrono::microseconds(*micros);
}

}  // namespace

std::vector<std::string> kernel_lines(std::string_view log, std::chrono::microseconds since) {
  std::vector<std::string> lines;
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    auto line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    const auto time = take_time(line);
    if (time && *time >= since) lines.emplace_back(line);
  }
  return lines;
}

std::vector<std::string> kernel_log_since(core::TimePoint since) {
  std::string log(kBytes, '\0');
  const int count = ::klogctl(kReadAll, log.data(), static_cast<int>(log.size()));
  if (count <= 0) return {};
  log.resize(static_cast<std::size_t>(count));
  return kernel_lines(
      log,
      std::chrono::duration_cast<std::chrono::microseconds>(since.time_since_epoch()) - kDrift);
}

}  // namespace ddp::os
