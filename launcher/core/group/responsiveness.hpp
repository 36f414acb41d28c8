// Whether a supervisor still hears: decides, from what it was told and what it has left unread,
// when it is given up. A loop that runs reads at once; one that waits for something for ever must
// not keep the group, nor the user.
#pragma once

#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>

namespace ddp::core {

class Responsiveness {
 public:
  // A stop request may stay unread for twice the limit.
  explicit Responsiveness(Nanoseconds limit) : limit_(limit) {}

  // One more byte is on its way. Only stop requests have to be heard.
  void sent(bool stop_request, TimePoint now);
  // When to look what is unread; none: no stop request is on its way.
  std::optional<TimePoint> next_look() const { return look_at_; }
  // Then: whether it is to be given up. `held`: stopped or debugged, so that it cannot hear now.
  bool timed_out(std::int64_t unread, bool held, TimePoint now);

 private:
  void expect(TimePoint now);
  Nanoseconds limit_;
  std::int64_t sent_ = 0;
  std::int64_t awaited_ = 0;  // of them, those it should have read at the next look
  bool overdue_ = false;      // at the look before
  std::optional<TimePoint> look_at_;
};

}  // namespace ddp::core
