// Messages of a program about itself, on stderr through spdlog. A worker's lines never pass here.
#pragma once

#include "common/result.hpp"

#include <string_view>

namespace ddp::log {

enum class Level { trace, debug, info, warn, error, off };

// Level names as spdlog's: trace, debug, info, warn, error, off.
Result<Level> parse_level(std::string_view what, std::string_view text);

// Starts logging under `program`'s name ("ddp-launch: ..."); colour only where `colour` says so.
void start(std::string_view program, Level level, bool colour);
bool enabled(Level level);
void write(Level level, std::string_view message);

}  // namespace ddp::log
