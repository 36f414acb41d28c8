// Messages of a program about itself, on stderr through spdlog. A worker's lines never pass here.
//
//   ddp-launch: error: cannot write logs/r1/events.jsonl: No space left on device
//   ddp-launch: warning: …          ddp-launch: …   (info)
//   ddp-launch: debug: 12:00:00.123456 …
//
// Each message is one line, written whole.
#pragma once

#include "common/result.hpp"

#include <functional>
#include <string_view>

namespace ddp::log {

enum class Level { trace, debug, info, warn, error, off };

// Level names as spdlog's: trace, debug, info, warn (or warning), error, off.
Result<Level> parse_level(std::string_view what, std::string_view text);

// Starts logging under `program`'s name; colour only where `colour` says so. Before start nothing
// is logged. Costs nothing until the first message that passes the level.
void start(std::string_view program, Level level, bool colour);
bool enabled(Level level);
void write(Level level, std::string_view message);

// From now on whole lines, newline included, go to `sink` instead of stderr, so that whoever owns
// the console keeps them in order with the rest; an empty one: stderr again. It may log in turn.
using Sink = std::function<void(std::string_view line)>;
void redirect(Sink sink);

}  // namespace ddp::log
