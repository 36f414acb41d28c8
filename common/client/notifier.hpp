// systemd's sd_notify protocol, both ends: what a worker tells the launcher, and how that is read.
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

#include "common/result.hpp"

#include <chrono>
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

// The worker's end. Without NOTIFY_SOCKET every call does nothing. Sending never blocks and never
// fails the caller: a launcher that is gone or busy must not stop training. A unix socket queues
// few datagrams (net.unix.max_dgram_qlen, 10 by default), so what a full queue refused goes with
// the next message; past kNotifyMessageLimit only READY=1 of it is kept. One thread at a time.
class Notifier {
 public:
  static Notifier from_environment();
  // `address` as NOTIFY_SOCKET spells it; not connected where nobody listens there.
  static Notifier connect_to(std::string_view address);
  Notifier() = default;
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&& other) noexcept;
  ~Notifier();

  bool connected() const { return fd_ >= 0; }
  void ready();
  void watchdog();
  // A heartbeat at the rate that was asked for: WATCHDOG=1, at most every quarter of WATCHDOG_USEC;
  // nothing where that is unset or, by WATCHDOG_PID, another process's. To be called as the work
  // gets on, never from a thread that would go on when the work hangs.
  void alive();
  void status(std::string_view text);
  void phase(std::string_view name);
  void step(std::int64_t step);
  // The step and its metrics in one message, so that the launcher sees them together.
  void step(std::int64_t step, const std::vector<std::pair<std::string, double>>& metrics);
  // What the run computed, in as few characters as tell two results apart.
  void digest(std::string_view text);
  // This worker is about to strike itself.
  void fault(std::string_view id);
  // Waits for room for what a full queue refused: a worker's last words before it ends. False when
  // the deadline passes first or there is no launcher.
  bool flush(std::chrono::milliseconds timeout);
  // Sends BARRIER=1 and waits until the launcher has handled everything sent before it. False when
  // the deadline passes first or there is no launcher.
  bool barrier(std::chrono::milliseconds timeout);

 private:
  explicit Notifier(int fd) : fd_(fd) {}
  void send(std::string_view message);
  // Puts what is still unsent before `message`.
  std::string with_unsent(std::string_view message) const;

  int fd_ = -1;
  std::string unsent_;
  std::chrono::microseconds heartbeat_{0};  // between two of alive()'s; 0: none are asked for
  std::optional<std::chrono::steady_clock::time_point> last_heartbeat_;  // none was sent yet
};

}  // namespace ddp
