// When a group counts as hung, when a rank counts as a straggler, and what is collected then.
#pragma once

#include "launcher/core/hangs/hang_watch.hpp"
#include "launcher/core/hangs/straggler_watch.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>

namespace ddp {

struct HangOptions {
  core::HangLimits limits;
  std::string on_hang;             // as given; empty: the default
  std::optional<int> hang_signal;  // none: no signal
  core::Nanoseconds evidence_timeout = std::chrono::seconds(10);
  core::StragglerConfig straggler;
};

// "Hangs and stragglers" in --help.
std::span<const FlagSpec> hang_flags();
Failure read_hangs(const SettingsReader& reader, HangOptions& options);

}  // namespace ddp
