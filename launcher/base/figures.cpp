#include "launcher/base/figures.hpp"

#include <fmt/core.h>

#include <cstddef>

namespace ddp {
namespace {

std::string significant(double value, const char* unit) {
  if (value >= 100) return fmt::format("{:.0f}{}", value, unit);
  return fmt::format("{:.3g}{}", value, unit);
}

}  // namespace

std::string grouped_digits(std::int64_t number) {
  std::string text = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(text.size()) - 3; i > (number < 0 ? 1 : 0); i -= 3)
    text.insert(static_cast<std::size_t>(i), 1, ',');
  return text;
}

std::string clock_text(std::chrono::nanoseconds time) {
  const auto all = std::chrono::floor<std::chrono::seconds>(time).count();
  const auto seconds = all % 60;
  const auto minutes = all / 60 % 60;
  const auto hours = all / 3600 % 24;
  const auto days = all / 86400;
  if (days > 0) return fmt::format("{} d {:02}:{:02}", days, hours, minutes);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, seconds);
  return fmt::format("{}:{:02}", minutes, seconds);
}

std::string rate_text(double rate) {
  return rate >= 1 ? significant(rate, " steps/s") : significant(1 / rate, " s/step");
}

}  // namespace ddp
