// Signals by name, both ways.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ddp {

// "SIGKILL"; "signal 40" for those without a name.
std::string signal_name(int signal);

// "KILL", "SIGKILL" or "9"; none for what is no signal.
std::optional<int> parse_signal(std::string_view text);

}  // namespace ddp
