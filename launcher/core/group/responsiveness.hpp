// Whether a supervisor still responds: decides, from what it was sent and what it has left unread,
// when the keeper gives up on it. A loop that runs reads at once; one that is blocked indefinitely
// must not keep the group, or the user, waiting.
#pragma once

#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>

namespace ddp::core {

class Responsiveness {
 public:
  // A stop request may stay unread for twice the limit.
  explicit Responsiveness(Nanoseconds limit) : limit_(limit) {}

  // One more byte was sent. Only stop requests have to be read.
  void sent(bool stop_request, TimePoint now);
  // When to check what is unread; none: no stop request was sent.
  std::optional<TimePoint> next_check() const { return check_at_; }
  // Then: whether to give up on it. `held`: stopped or debugged, so that it cannot read now.
  bool timed_out(std::int64_t unread, bool held, TimePoint now);

 private:
  void expect(TimePoint now);
  Nanoseconds limit_;
  std::int64_t sent_ = 0;
  std::int64_t awaited_ = 0;  // of them, those that it should have read at the next check
  bool overdue_ = false;      // at the previous check
  std::optional<TimePoint> check_at_;
};

}  // namespace ddp::core
