#include "common/signal_name.hpp"

#include "common/parse.hpp"

#include <csignal>
#include <cstring>

namespace ddp {

std::string signal_name(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  if (name != nullptr) return std::string("SIG") + name;
  if (signal >= SIGRTMIN && signal <= SIGRTMAX)
    return "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
  return "signal " + std::to_string(signal);
}

std::optional<int> parse_signal(std::string_view text) {
  if (const auto number = parse_integer("signal", text, 1, SIGRTMAX))
    return static_cast<int>(*number);
  if (text.starts_with("SIG")) text.remove_prefix(3);
  constexpr std::string_view kRealTime = "RTMIN+";
  if (text.starts_with(kRealTime)) {
    const auto number =
        parse_integer("signal", text.substr(kRealTime.size()), 0, SIGRTMAX - SIGRTMIN);
    return number ? std::optional(SIGRTMIN + static_cast<int>(*number)) : std::nullopt;
  }
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    const char* const name = ::sigabbrev_np(signal);
    if (name != nullptr && text == name) return signal;
  }
  return std::nullopt;
}

}  // namespace ddp
