// Durations for people to read, one function for each use. format_duration() (common/parse.hpp) has
// the form that ddp-launch reads back.
#pragma once

#include <chrono>
#include <string>

namespace ddp {

// What was measured: three digits (and `more`) and a unit, as tables have it. "412 us", "1.20 ms",
// "35.1 s"; minutes from 100 s on.
std::string short_duration(std::chrono::nanoseconds duration, int more = 0);

// A limit, with every digit that the user gave: "30 s", "1999 ms", "10 min".
std::string exact_duration(std::chrono::nanoseconds duration);

// How long something took, in a sentence: to the millisecond below a minute, in two units above.
// "35 ms", "1.204 s", "2 min 5 s".
std::string duration_text(std::chrono::nanoseconds duration);

// The rest of a limit, in whole seconds: "5 s". Never below "0 s".
std::string left_text(std::chrono::nanoseconds left);

// A limit of the worker, always in milliseconds or seconds: "250 ms", "1.5 s", "600 s".
std::string seconds_text(std::chrono::milliseconds duration);

}  // namespace ddp
