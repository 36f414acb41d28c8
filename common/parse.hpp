// Numbers and durations from text, refused whole when any character is left over.
#pragma once

#include "common/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ddp {

// A decimal integer in [low, high]; no blanks, no '+', nothing after it.
// The error reads "<what> is '<text>': expected an integer from <low> to <high>".
Result<std::int64_t> parse_integer(std::string_view what, std::string_view text, std::int64_t low,
                                   std::int64_t high);

// "1.5", "250ms", "30s", "10m", "2h"; a bare number is seconds. Never negative, at most 10 years.
Result<std::chrono::nanoseconds> parse_duration(std::string_view what, std::string_view text);

// What parse_duration reads back to the nanosecond, in the largest unit that needs no fraction:
// "2h", "90s", "1500ms".
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace ddp
