#include "launcher/core/group/responsiveness.hpp"

#include <utility>

namespace ddp::core {

void Responsiveness::sent(bool stop_request, TimePoint now) {
  ++sent_;
  if (stop_request && !look_at_) expect(now);
}

void Responsiveness::expect(TimePoint now) {
  awaited_ = sent_;
  overdue_ = false;
  look_at_ = now + limit_;
}

bool Responsiveness::timed_out(std::int64_t unread, bool held, TimePoint now) {
  look_at_.reset();
  if (unread == 0) return false;
  if (sent_ - unread >= awaited_ || held) {  // what it had to hear it heard, and more has come
    expect(now);
    return false;
  }
  look_at_ = now + limit_;
  return std::exchange(overdue_, true);  // the first time it may have been let go just before
}

}  // namespace ddp::core
