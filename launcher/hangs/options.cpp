// When a group hangs, and what is done about it.
#include "launcher/cli/options_check.hpp"
#include "launcher/settings/reader.hpp"

#include <charconv>

namespace ddp {

Failure check_hangs(const Settings& settings, Options& options) {
  const SettingsReader reader(settings);
  const std::pair<Flag, core::Nanoseconds*> limits[] = {
      {Flag::timeout, &options.hangs.limits.run},
      {Flag::ready_timeout, &options.hangs.limits.ready},
      {Flag::heartbeat_timeout, &options.hangs.limits.heartbeat},
      {Flag::progress_timeout, &options.hangs.limits.progress},
      {Flag::output_timeout, &options.hangs.limits.output},
      {Flag::evidence_timeout, &options.hangs.evidence_timeout},
  };
  for (const auto& [flag, limit] : limits) {
    if (auto failure = reader.duration(flag, *limit)) return failure;
  }
  if (const Setting* const command = reader.given(Flag::on_hang)) {
    if (command->text.empty()) return refusal(*command, "a shell command, or none");
    options.hangs.on_hang = command->text;
  }
  if (auto failure = reader.signal(Flag::hang_signal, options.hangs.hang_signal)) return failure;
  if (const Setting* const factor = reader.given(Flag::straggler_factor)) {
    const char* const end = factor->text.data() + factor->text.size();
    double value = 0;
    const auto [stop, error] = std::from_chars(factor->text.data(), end, value);
    if (error != std::errc() || stop != end || !(value >= 1.1 && value <= 1000))
      return refusal(*factor, "a number from 1.1 to 1000");
    options.hangs.straggler.factor = value;
  }
  return reader.integer(Flag::straggler_window, 5, 10000, options.hangs.straggler.window);
}

}  // namespace ddp
