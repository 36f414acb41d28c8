// Signals by name, both ways.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ddp {

// "SIGKILL", "SIGRTMIN+1"; "signal 99" for what is none.
std::string signal_name(int signal);

// "KILL", "SIGKILL", "9" or "SIGRTMIN+1"; none for what is no signal.
std::optional<int> parse_signal(std::string_view text);

}  // namespace ddp
