// Reads numbers and durations. Text with any character left over is an error.
#pragma once

#include "common/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ddp {

// Reads a decimal integer in [low, high], without blanks or '+'.
// The error reads "<what> is '<text>': expected an integer from <low> to <high>".
Result<std::int64_t> parse_integer(std::string_view what, std::string_view text, std::int64_t low,
                                   std::int64_t high);

// Reads "1.5", "250ms", "30s", "10m" or "2h"; a bare number is in seconds. Never negative, at most
// 10 years.
Result<std::chrono::nanoseconds> parse_duration(std::string_view what, std::string_view text);

// Writes a duration so that parse_duration() reads exactly the same, in the largest unit that needs
// no fraction: "2h", "90s", "1500ms". For people: common/duration_text.hpp.
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace ddp
