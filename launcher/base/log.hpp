// Room: launcher/base. Small helpers, each once: log, tables, durations, quoting, whole files,
// TOML.
// Includes: common. Included by: launcher, launcher/campaign, launcher/cli, launcher/ddpctl,
// launcher/diagnosis, launcher/events, launcher/hangs, launcher/metrics, launcher/page,
// launcher/plan, launcher/preflight, launcher/program, launcher/report, launcher/supervisor.
//
// The messages of ddp-launch about itself, on stderr. Workers' lines go through output/ instead.
//
//   ddp-launch: error: cannot write logs/r1/events.jsonl: No space left on device
//   ddp-launch: warning: …          ddp-launch: …   (info)
//   ddp-launch: debug: 12:00:00.123456 …
//
// Each message is one line, and is written whole.
#pragma once

#include "common/result.hpp"

#include <functional>
#include <string_view>

namespace ddp::log {

enum class Level { trace, debug, info, warn, error, off };

// Reads trace, debug, info, warn (or warning), error or off. `what` names the setting in the error.
Result<Level> parse_level(std::string_view what, std::string_view text);

// Starts logging messages of at least `level`, with the name of the program in front. Before that,
// nothing is logged. Costs nothing until the first message.
void start(std::string_view program, Level level, bool colour);
bool enabled(Level level);
void write(Level level, std::string_view message);

// Sends each line, newline included, to `sink` instead of stderr, so that the owner of the console
// can keep it in order with the workers' lines. An empty sink means stderr again. A sink may log,
// too.
using Sink = std::function<void(std::string_view line)>;
void redirect(Sink sink);

}  // namespace ddp::log
