// Room: common/client. What any worker may link; it is installed: its environment, the notifier,
// fault points.
// Includes: common, common/faults. Included by: worker, worker/checkpoint, worker/comm, worker/gpu.
//
// The worker's side of systemd's sd_notify protocol; common/notify_message.hpp describes the
// messages.
#pragma once

#include "common/notify_message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// Without NOTIFY_SOCKET every call does nothing. Sending never blocks and never fails the caller: a
// launcher that is dead or busy must not stop training. A unix socket queues few datagrams
// (net.unix.max_dgram_qlen, 10 by default), so a message that a full queue refused is sent with the
// next one; past kNotifyMessageLimit only READY=1 of it is kept. One thread at a time.
class Notifier {
 public:
  static Notifier from_environment();
  // `address` as NOTIFY_SOCKET spells it; not connected where no process listens there.
  static Notifier connect_to(std::string_view address);
  Notifier() = default;
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&& other) noexcept;
  ~Notifier();

  bool connected() const { return fd_ >= 0; }
  void ready();
  void watchdog();
  // A heartbeat at the rate that was asked for: WATCHDOG=1, at most every quarter of WATCHDOG_USEC;
  // nothing where that is unset or, by WATCHDOG_PID, for another process. Call it as the work makes
  // progress, never from a thread that keeps running when the work hangs.
  void alive();
  void status(std::string_view text);
  void phase(std::string_view name);
  void step(std::int64_t step);
  // The step and its metrics in one message, so that the launcher sees them together.
  void step(std::int64_t step, const std::vector<std::pair<std::string, double>>& metrics);
  // With which step this worker will be done, so that the launcher can say how much is left.
  void total_steps(std::int64_t total);
  // What the run computed, in as few characters as distinguish two results.
  void digest(std::string_view text);
  // This worker is about to inject a fault into itself.
  void fault(std::string_view id);
  // Waits until what a full queue refused is sent, before a worker exits. False when the deadline
  // passes first or there is no launcher.
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
  std::chrono::microseconds heartbeat_{0};  // between two of alive()'s; 0: none are required
  std::optional<std::chrono::steady_clock::time_point> last_heartbeat_;  // none was sent yet
};

}  // namespace ddp
