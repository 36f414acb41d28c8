#include "launcher/core/group/hearing.hpp"

#include <utility>

namespace ddp::core {

void Hearing::told(bool stop_request, TimePoint now) {
  ++told_;
  if (stop_request && !look_at_) expect(now);
}

void Hearing::expect(TimePoint now) {
  awaited_ = told_;
  overdue_ = false;
  look_at_ = now + limit_;
}

bool Hearing::given_up(std::int64_t unread, bool held, TimePoint now) {
  look_at_.reset();
  if (unread == 0) return false;
  if (told_ - unread >= awaited_ || held) {  // what it had to hear it heard, and more has come
    expect(now);
    return false;
  }
  look_at_ = now + limit_;
  return std::exchange(overdue_, true);  // the first time it may have been let go just before
}

}  // namespace ddp::core
