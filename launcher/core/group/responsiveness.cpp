#include "launcher/core/group/responsiveness.hpp"

#include <utility>

namespace ddp::core {

void Responsiveness::sent(bool stop_request, TimePoint now) {
  ++sent_;
  if (stop_request && !check_at_) expect(now);
}

void Responsiveness::expect(TimePoint now) {
  awaited_ = sent_;
  overdue_ = false;
  check_at_ = now + limit_;
}

bool Responsiveness::timed_out(std::int64_t unread, bool held, TimePoint now) {
  check_at_.reset();
  if (unread == 0) return false;
  if (sent_ - unread >= awaited_ || held) {  // it has read what it had to, and more was sent
    expect(now);
    return false;
  }
  check_at_ = now + limit_;
  return std::exchange(overdue_, true);  // before the first check it may just have been continued
}

}  // namespace ddp::core
