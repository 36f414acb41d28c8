// Figures of a run as a status shows them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ddp {

// "12,345"
std::string grouped_digits(std::int64_t number);

// "4:05", "1:02:03", "3 d 02:00"
std::string clock_text(std::chrono::nanoseconds time);

// "12.3 steps/s"; of a slower one "4.2 s/step".
std::string rate_text(double steps_per_second);

}  // namespace ddp
