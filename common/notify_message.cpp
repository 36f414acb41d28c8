#include "common/notify_message.hpp"

#include "common/utf8.hpp"

#include <charconv>

namespace ddp {
namespace {

// The whole of `text` as a number, or nullopt.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

void read_metric(std::string_view text, NotifyMessage& message) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !is_notify_name(text.substr(0, equals))) return;
  if (const auto value = number<double>(text.substr(equals + 1))) {
    message.metrics.emplace_back(text.substr(0, equals), *value);
  }
}

void read_line(std::string_view line, NotifyMessage& message) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (name == "READY") {
    message.ready |= value == "1";
  } else if (name == "WATCHDOG") {
    message.watchdog |= value == "1";
  } else if (name == "BARRIER") {
    message.barrier |= value == "1";
  } else if (name == "STATUS") {
    if (is_utf8(value)) message.status = without_controls(value);
  } else if (name == "X_DDP_STEP") {
    const auto step = number<std::int64_t>(value);
    if (step && *step >= 0) message.step = *step;
  } else if (name == "X_DDP_TOTAL_STEPS") {
    const auto total = number<std::int64_t>(value);
    if (total && *total >= 0) message.total_steps = *total;
  } else if (name == "X_DDP_PHASE") {
    if (is_notify_name(value)) message.phase = value;
  } else if (name == "X_DDP_DIGEST") {
    if (is_notify_name(value)) message.digest = value;
  } else if (name == "X_DDP_FAULT") {
    if (is_notify_name(value)) message.fault = value;
  } else if (name == "X_DDP_METRIC") {
    read_metric(value, message);
  }
}

}  // namespace

bool is_notify_name(std::string_view text) {
  return !text.empty() && text.size() <= kNotifyNameLimit && is_utf8(text) && !has_control(text);
}

NotifyMessage parse_notify(std::string_view datagram) {
  NotifyMessage message;
  if (datagram.size() > kNotifyMessageLimit) return message;
  // Some clients send the terminator of their string.
  if (!datagram.empty() && datagram.back() == '\0') datagram.remove_suffix(1);
  if (datagram.find('\0') != std::string_view::npos) return message;
  while (!datagram.empty()) {
    const std::size_t newline = datagram.find('\n');
    read_line(datagram.substr(0, newline), message);
    if (newline == std::string_view::npos) break;
    datagram.remove_prefix(newline + 1);
  }
  return message;
}

}  // namespace ddp
