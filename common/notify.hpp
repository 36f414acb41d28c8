// systemd's sd_notify protocol, both ends: what a worker tells the launcher, and how that is read.
//
// A message is one datagram of lines NAME=VALUE on the unix socket that NOTIFY_SOCKET names (a
// path, or an abstract name written with a leading '@'). systemd's READY=1, WATCHDOG=1, STATUS= and
// BARRIER=1 mean what they mean there; X_DDP_STEP=<n>, X_DDP_PHASE=<name> and
// X_DDP_METRIC=<name>=<value> are ours. A program that knows sd_notify in any language can be a
// worker.
#pragma once

#include "common/result.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// Messages longer than this are dropped whole by the launcher.
inline constexpr std::size_t kNotifyMessageLimit = 4096;

struct NotifyMessage {
  bool ready = false;
  bool watchdog = false;
  bool barrier = false;
  std::optional<std::string> status;
  std::optional<std::string> phase;
  std::optional<std::int64_t> step;
  std::vector<std::pair<std::string, double>> metrics;
};

// Reads one datagram. Lines that are unknown, malformed or out of range are skipped, as systemd
// does: a worker of tomorrow must not be refused by a launcher of today. Never throws on any input.
NotifyMessage parse_notify(std::string_view datagram);

// The worker's end. Without NOTIFY_SOCKET every call does nothing. Sending never blocks and never
// fails the caller: a launcher that is gone or busy must not stop training.
class Notifier {
 public:
  static Notifier from_environment();
  Notifier() = default;
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&& other) noexcept;
  ~Notifier();

  bool connected() const { return fd_ >= 0; }
  void ready();
  void watchdog();
  void status(std::string_view text);
  void phase(std::string_view name);
  void step(std::int64_t step);
  // The step and its metrics in one message, so that the launcher sees them together.
  void step(std::int64_t step, const std::vector<std::pair<std::string, double>>& metrics);
  // Sends BARRIER=1 and waits until the launcher has handled everything sent before it. False when
  // the deadline passes first or there is no launcher.
  bool barrier(std::chrono::milliseconds timeout);

 private:
  void send(std::string_view message);
  int fd_ = -1;
};

}  // namespace ddp
