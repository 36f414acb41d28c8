#include "common/parse.hpp"

#include <charconv>
#include <cmath>
#include <string>

namespace ddp {

Result<std::int64_t> parse_integer(std::string_view what, std::string_view text, std::int64_t low,
                                   std::int64_t high) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < low || value > high) {
    return Error{std::string(what) + " is '" + std::string(text) + "': expected an integer from " +
                 std::to_string(low) + " to " + std::to_string(high)};
  }
  return value;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view what, std::string_view text) {
  constexpr double kLongest = 10.0 * 365 * 24 * 3600;  // seconds; far inside 64-bit nanoseconds
  const auto refused = [&] {
    return Error{std::string(what) + " is '" + std::string(text) +
                 "': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"};
  };
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{}) return refused();
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  double seconds = 0;
  if (unit.empty() || unit == "s") {
    seconds = value;
  } else if (unit == "ms") {
    seconds = value / 1e3;
  } else if (unit == "us") {
    seconds = value / 1e6;
  } else if (unit == "m") {
    seconds = value * 60;
  } else if (unit == "h") {
    seconds = value * 3600;
  } else {
    return refused();
  }
  if (!(seconds >= 0) || seconds > kLongest) return refused();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
}

}  // namespace ddp
