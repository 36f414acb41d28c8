// Whether and when a failed group is restarted.
#include "common/signal_name.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/workers/options.hpp"

#include <sys/random.h>

#include <string_view>
#include <vector>

namespace ddp {
namespace {

constexpr std::int64_t kMostRestarts = 1'000'000;

constexpr FlagSpec kFlags[] = {
    {"--max-restarts", "N|'N in TIME'", ValueKind::number, "0", kFailureSection,
     "restarts of the whole group after a failure, 0 to 1000000; '3 in 10m': at most three within "
     "any ten minutes"},
    {"--backoff", "TIME", ValueKind::duration, "1s", kFailureSection,
     "wait before the second restart in a row without progress (the first is immediate); doubles "
     "each time; jitter shortens it by up to 10 %"},
    {"--max-backoff", "TIME", ValueKind::duration, "30s", kFailureSection, "the longest such wait"},
    {"--crash-loop", "N", ValueKind::number, "5", kFailureSection,
     "give up after N attempts in a row that fail in the same way without progress; 0: never"},
    {"--restart-on", "CODES", ValueKind::list, "all others", kFailureSection,
     "restart only after these exit codes and signals (1,100-110,SIGKILL)"},
    {"--no-restart-on", "CODES", ValueKind::list, "2,126,127", kFailureSection,
     "never restart after these, in addition to 2, 126 and 127 (78,100-110,SIGILL)"},
    {"--restart-after", "ready|TIME", ValueKind::duration, "0", kFailureSection,
     "do not restart an attempt that fails before every rank has sent READY=1, or within TIME: a "
     "mistake that a restart cannot fix"},
};

// "3" or "3 in 10m".
Failure max_restarts(const SettingsReader& reader, core::RestartPolicy& policy) {
  const Setting* const setting = reader.given("--max-restarts");
  if (setting == nullptr) return std::nullopt;
  constexpr std::string_view kIn = " in ";
  const std::string_view text = setting->text;
  const std::size_t in = text.find(kIn);
  const auto count = parse_integer("", text.substr(0, in), 0, kMostRestarts);
  std::optional<core::Nanoseconds> window;
  if (in != std::string_view::npos) {
    if (const auto length = parse_duration("", text.substr(in + kIn.size()))) window = *length;
  }
  const bool bad_window =
      in != std::string_view::npos && (!window || *window <= core::Nanoseconds::zero());
  if (!count || bad_window)
    return refusal(*setting, "a number from 0 to " + std::to_string(kMostRestarts) +
                                 ", or a number in a time such as '3 in 10m'");
  policy.max_restarts = static_cast<int>(*count);
  policy.window = window;
  return std::nullopt;
}

// "78", "100-110" or "SIGILL", which stands for 128+n, appended to `codes`; false for anything
// else.
bool add_codes(std::string_view word, std::vector<int>& codes) {
  if (!word.empty() && (word.front() < '0' || word.front() > '9')) {
    const auto signal = parse_signal(word);
    if (signal) codes.push_back(core::kSignalBase + *signal);
    return signal.has_value();
  }
  const std::size_t dash = word.find('-');
  const auto low = parse_integer("", word.substr(0, dash), 1, 255);
  const auto high =
      dash == std::string_view::npos ? low : parse_integer("", word.substr(dash + 1), 1, 255);
  if (!low || !high || *low > *high) return false;
  for (auto code = *low; code <= *high; ++code) codes.push_back(static_cast<int>(code));
  return true;
}

Failure exit_codes(const Setting& setting, std::vector<int>& codes) {
  std::string_view rest = setting.text;
  while (true) {
    const std::size_t comma = rest.find(',');
    if (!add_codes(rest.substr(0, comma), codes))
      return refusal(setting, "exit codes 1 to 255, ranges and signals, such as 78,100-110,SIGILL");
    if (comma == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(comma + 1);
  }
}

// "ready" or a time.
Failure restart_after(const SettingsReader& reader, core::RestartPolicy& policy) {
  const Setting* const setting = reader.given("--restart-after");
  if (setting == nullptr) return std::nullopt;
  policy.restart_after_ready = setting->text == "ready";
  if (policy.restart_after_ready) return std::nullopt;
  const auto time = parse_duration("", setting->text);
  if (!time) return refusal(*setting, "ready, or a time such as 30s");
  policy.restart_after = *time;
  return std::nullopt;
}

}  // namespace

std::span<const FlagSpec> restart_flags() { return kFlags; }

Failure read_restarts(const SettingsReader& reader, core::RestartPolicy& policy) {
  if (auto failure = max_restarts(reader, policy)) return failure;
  if (auto failure = reader.duration("--backoff", policy.backoff)) return failure;
  if (auto failure = reader.duration("--max-backoff", policy.max_backoff)) return failure;
  if (policy.max_backoff < policy.backoff) {
    if (const Setting* const longest = reader.given("--max-backoff"))
      return refusal(*longest, "no less than --backoff");
    policy.max_backoff = policy.backoff;  // only --backoff was asked for, beyond the usual limit
  }
  if (auto failure = reader.integer("--crash-loop", 0, kMostRestarts, policy.crash_loop))
    return failure;
  if (const Setting* const codes = reader.given("--restart-on")) {
    policy.restart_on.emplace();
    if (auto failure = exit_codes(*codes, *policy.restart_on)) return failure;
  }
  if (const Setting* const codes = reader.given("--no-restart-on")) {
    if (auto failure = exit_codes(*codes, policy.no_restart_on)) return failure;
  }
  if (auto failure = restart_after(reader, policy)) return failure;
  // For jitter alone: where the system has no random bytes yet, zero serves as well.
  if (::getrandom(&policy.jitter_seed, sizeof policy.jitter_seed, GRND_NONBLOCK) < 0)
    policy.jitter_seed = 0;
  return std::nullopt;
}

}  // namespace ddp
