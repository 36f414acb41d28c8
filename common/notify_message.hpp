// systemd's sd_notify protocol as the launcher reads it: one message of a worker as a value.
//
// A message is one datagram of lines NAME=VALUE on the unix socket that NOTIFY_SOCKET names (a
// path, or an abstract name written with a leading '@'). systemd's READY=1, WATCHDOG=1, STATUS= and
// BARRIER=1 have their meaning there; X_DDP_STEP=<n>, X_DDP_PHASE=<name>,
// X_DDP_METRIC=<name>=<value>, X_DDP_TOTAL_STEPS=<n> (the step with which the worker will be done),
// X_DDP_DIGEST=<text> (identifies what the run computed, for
// comparison with another run) and X_DDP_FAULT=<id> (common/faults/worker_faults.hpp) are additions
// of ddp-launch. A program in any language that has sd_notify can be a worker.
//
// Limits: a step is 0 … 2^63-1; digests, names of phases and metrics are 1 … 64 bytes of UTF-8
// without control characters, a metric's without '='; a metric's value is a decimal number, inf or
// nan (a loss that becomes nan is worth reporting).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// A metric that the launcher uses: how long a rank computed in the step that it reports, before it
// waited for other ranks.
inline constexpr std::string_view kBusySeconds = "busy_seconds";
// Another one: the training loss of the step.
inline constexpr std::string_view kLoss = "loss";

// The launcher drops messages that are longer.
inline constexpr std::size_t kNotifyMessageLimit = 4096;
inline constexpr std::size_t kNotifyNameLimit = 64;

// Whether `text` is a valid phase or digest.
bool is_notify_name(std::string_view text);

struct NotifyMessage {
  bool ready = false;
  bool watchdog = false;
  bool barrier = false;
  std::optional<std::string> status;  // control characters replaced by blanks
  std::optional<std::string> phase;
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> total_steps;
  std::optional<std::string> digest;
  std::optional<std::string> fault;  // an id for fault::parse_injection_id
  // In the order sent. A name may occur more than once: the last one counts.
  std::vector<std::pair<std::string, double>> metrics;
};

// Reads one datagram. Skips lines that are unknown, malformed or out of range, as systemd does, so
// that a newer worker works with an older launcher. A datagram that is too long or has a NUL before
// the end gives an empty message. Never throws, whatever the input.
NotifyMessage parse_notify(std::string_view datagram);

}  // namespace ddp
