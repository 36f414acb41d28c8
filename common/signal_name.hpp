// Signals by name, both ways.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ddp {

// "SIGKILL", "SIGRTMIN+1"; "signal 99" for a number that is no signal.
std::string signal_name(int signal);

// The inverse: reads "KILL", "SIGKILL", "9" or "SIGRTMIN+1". nullopt for anything else.
std::optional<int> parse_signal(std::string_view text);

}  // namespace ddp
