// systemd's sd_notify protocol as the launcher reads it: what a worker reports, one message at a
// time.
//
// A message is one datagram of lines NAME=VALUE on the unix socket that NOTIFY_SOCKET names (a
// path, or an abstract name written with a leading '@'). systemd's READY=1, WATCHDOG=1, STATUS= and
// BARRIER=1 mean what they mean there; X_DDP_STEP=<n>, X_DDP_PHASE=<name>,
// X_DDP_METRIC=<name>=<value>, X_DDP_DIGEST=<text> (what the run computed, to be compared with
// another run's) and X_DDP_FAULT=<id> (common/faults/worker_faults.hpp) are ours. A program that
// knows sd_notify in any language can be a worker.
//
// Limits: a step is 0 … 2^63-1; digests, names of phases and metrics are 1 … 64 bytes of UTF-8
// without control characters, a metric's without '='; a metric's value is a decimal number, inf or
// nan (a loss that became nan is news).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// A metric that the launcher knows: what a rank computed in the step it tells, before it waited for
// others.
inline constexpr std::string_view kBusySeconds = "busy_seconds";

// Messages longer than this are dropped whole by the launcher.
inline constexpr std::size_t kNotifyMessageLimit = 4096;
inline constexpr std::size_t kNotifyNameLimit = 64;

// Whether `text` can be a phase or a digest.
bool is_notify_name(std::string_view text);

struct NotifyMessage {
  bool ready = false;
  bool watchdog = false;
  bool barrier = false;
  std::optional<std::string> status;  // control characters replaced by blanks
  std::optional<std::string> phase;
  std::optional<std::int64_t> step;
  std::optional<std::string> digest;
  std::optional<std::string> fault;  // an id, to be read with fault::parse_strike_id
  // In the order sent, a name perhaps more than once: the last one counts.
  std::vector<std::pair<std::string, double>> metrics;
};

// Reads one datagram. Lines that are unknown, malformed or out of range are skipped, as systemd
// does: a worker of tomorrow must not be refused by a launcher of today. A datagram that is too
// long or holds a NUL before its end says nothing. Never throws on any input.
NotifyMessage parse_notify(std::string_view datagram);

}  // namespace ddp
