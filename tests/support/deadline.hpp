// How long a test waits for an event. Generous, since a loaded machine is slow: a deadline
// ends a hang; it never measures. DDP_TEST_TIMEOUT_SCALE multiplies every deadline.
#pragma once

#include <chrono>

namespace ddp::test {

// The factor of DDP_TEST_TIMEOUT_SCALE, 1 if unset; throws std::invalid_argument if not a positive
// number.
double timeout_scale();

class Deadline {
 public:
  explicit Deadline(std::chrono::duration<double> from_now = std::chrono::seconds(30));
  bool passed() const { return remaining_ms() == 0; }
  // As poll(2) takes it: rounded up, 0 once passed.
  int remaining_ms() const;

 private:
  std::chrono::steady_clock::time_point at_;
};

}  // namespace ddp::test
