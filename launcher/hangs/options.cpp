#include "launcher/hangs/options.hpp"

#include <charconv>
#include <utility>

namespace ddp {
namespace {

constexpr std::string_view kHangs = "Hangs and stragglers";

constexpr FlagSpec kFlags[] = {
    {"--timeout", "TIME", ValueKind::duration, "off", kHangs,
     "time limit for the whole run, restarts included; after it there is no restart"},
    {"--ready-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "time limit from the start of an attempt until every rank has sent READY=1 (sd_notify)"},
    {"--heartbeat-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "time limit between a rank's READY=1 or WATCHDOG=1 and its next WATCHDOG=1; workers get it as "
     "WATCHDOG_USEC"},
    {"--progress-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "no rank that sends X_DDP_STEP may go longer than TIME without a new step"},
    {"--output-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "no rank may go longer than TIME without output"},
    {"--on-hang", "CMD", ValueKind::text, "py-spy or gdb, where installed", kHangs,
     "shell command that examines each rank of a hung group, with {pid}, {rank} and {dir}; none: "
     "no command"},
    {"--hang-signal", "SIGNAL", ValueKind::text, "none", kHangs,
     "signal that makes workers dump their stacks (USR1), sent to each rank of a hung group"},
    {"--evidence-timeout", "TIME", ValueKind::duration, "10s", kHangs,
     "time limit for collecting diagnostics of a hung group"},
    {"--straggler-factor", "X", ValueKind::real, "off", kHangs,
     "report a rank as a straggler if its part of a step takes X times the median rank's, 1.1 to "
     "1000"},
    {"--straggler-window", "N", ValueKind::number, "20", kHangs,
     "number of steps that stragglers are measured over, 5 to 10000"},
};

}  // namespace

std::span<const FlagSpec> hang_flags() { return kFlags; }

Failure read_hangs(const SettingsReader& reader, HangOptions& options) {
  const std::pair<const char*, core::Nanoseconds*> limits[] = {
      {"--timeout", &options.limits.run},
      {"--ready-timeout", &options.limits.ready},
      {"--heartbeat-timeout", &options.limits.heartbeat},
      {"--progress-timeout", &options.limits.progress},
      {"--output-timeout", &options.limits.output},
      {"--evidence-timeout", &options.evidence_timeout},
  };
  for (const auto& [flag, limit] : limits) {
    if (auto failure = reader.duration(flag, *limit)) return failure;
  }
  if (const Setting* const command = reader.given("--on-hang")) {
    if (command->text.empty()) return refusal(*command, "a shell command, or none");
    options.on_hang = command->text;
  }
  if (auto failure = reader.signal("--hang-signal", options.hang_signal)) return failure;
  if (const Setting* const factor = reader.given("--straggler-factor")) {
    const char* const end = factor->text.data() + factor->text.size();
    double value = 0;
    const auto [stop, error] = std::from_chars(factor->text.data(), end, value);
    if (error != std::errc() || stop != end || !(value >= 1.1 && value <= 1000))
      return refusal(*factor, "a number from 1.1 to 1000");
    options.straggler.factor = value;
  }
  return reader.integer("--straggler-window", 5, 10000, options.straggler.window);
}

}  // namespace ddp
