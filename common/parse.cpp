#include "common/parse.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
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
  constexpr std::int64_t kLongest = std::int64_t{10} * 365 * 24 * 3600;  // seconds
  struct Unit {
    std::string_view name;
    std::int64_t ns;
  };
  constexpr Unit kUnits[] = {{"", 1'000'000'000}, {"s", 1'000'000'000},  {"ms", 1'000'000},
                             {"us", 1000},        {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  const auto refused = [&] {
    return Error{std::string(what) + " is '" + std::string(text) +
                 "': expected a duration such as 30, 1.5s, 250ms, 10m or 2h"};
  };
  // With integers, so that no nanosecond is lost.
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t at = 0;
  std::int64_t whole = 0;
  for (; at < text.size() && is_digit(text[at]); ++at)
    whole = std::min(whole * 10 + (text[at] - '0'), kLongest * 1'000'000 + 1);
  std::size_t digits = at;
  std::int64_t parts = 0;
  std::int64_t scale = 1;
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && is_digit(text[at]); ++at, ++digits) {
      if (scale == std::int64_t{1'000'000'000}) continue;  // finer than a nanosecond
      parts = parts * 10 + (text[at] - '0');
      scale *= 10;
    }
  }
  const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                 [&](const Unit& one) { return one.name == text.substr(at); });
  if (digits == 0 || unit == std::end(kUnits)) return refused();
  if (whole > kLongest * 1'000'000'000 / unit->ns) {
    return Error{std::string(what) + " is '" + std::string(text) +
                 "': expected no more than 87600h, ten years"};
  }
  const auto fraction =
      std::llround(static_cast<long double>(parts) * static_cast<long double>(unit->ns) /
                   static_cast<long double>(scale));
  return std::chrono::nanoseconds(whole * unit->ns + fraction);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  struct Unit {
    std::int64_t ns;
    const char* name;
  };
  constexpr Unit kUnits[] = {
      {3'600'000'000'000, "h"}, {60'000'000'000, "m"}, {1'000'000'000, "s"}, {1'000'000, "ms"}};
  const std::int64_t ns = duration.count();
  if (ns == 0) return "0s";
  for (const auto& unit : kUnits) {
    if (ns % unit.ns == 0) return std::to_string(ns / unit.ns) + unit.name;
  }
  std::string text = std::to_string(ns / 1000);
  if (const auto rest = ns % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "us";
}

}  // namespace ddp
