#include "common/duration_text.hpp"

#include "common/parse.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <iterator>

namespace ddp {
namespace {

// `value` with `decimals` digits after the point, and the unit.
std::string number(double value, int decimals, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f %s", decimals, value, unit);
  return text;
}

double in_seconds(std::chrono::nanoseconds duration) {
  return static_cast<double>(duration.count()) / 1e9;
}

}  // namespace

std::string short_duration(std::chrono::nanoseconds duration, int more) {
  if (duration.count() == 0) return "0 s";
  const double ns = static_cast<double>(duration.count());
  struct Unit {
    double ns;
    const char* name;
  };
  constexpr Unit kUnits[] = {{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}, {60e9, "min"}};
  std::size_t unit = 0;
  while (unit + 1 < std::size(kUnits) && ns >= (unit == 3 ? 100e9 : kUnits[unit + 1].ns)) ++unit;
  const double value = ns / kUnits[unit].ns;
  const int decimals = unit == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return number(value, decimals + more, kUnits[unit].name);
}

std::string exact_duration(std::chrono::nanoseconds duration) {
  std::string text = format_duration(duration);
  text.insert(text.find_last_of("0123456789") + 1, " ");
  return text.ends_with(" m") ? text + "in" : text;
}

std::string duration_text(std::chrono::nanoseconds duration) {
  const double seconds = in_seconds(duration);
  if (seconds < 1) return number(seconds * 1e3, 0, "ms");
  if (seconds < 60) return number(seconds, 3, "s");
  const auto whole = static_cast<long>(seconds);
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

std::string left_text(std::chrono::nanoseconds left) {
  return number(in_seconds(std::max(left, std::chrono::nanoseconds::zero())), 0, "s");
}

std::string seconds_text(std::chrono::milliseconds duration) {
  if (duration < std::chrono::seconds(1)) return std::to_string(duration.count()) + " ms";
  char text[32];
  std::snprintf(text, sizeof text, "%.4g s", static_cast<double>(duration.count()) / 1000);
  return text;
}

}  // namespace ddp
