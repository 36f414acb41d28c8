#include "tests/support/deadline.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>

namespace ddp::test {

double timeout_scale() {
  const char* const text = std::getenv("DDP_TEST_TIMEOUT_SCALE");
  if (text == nullptr) return 1;
  std::size_t used = 0;
  const double scale = std::stod(text, &used);
  if (text[used] != '\0' || !(scale > 0 && scale <= 1000)) {
    throw std::invalid_argument(std::string("DDP_TEST_TIMEOUT_SCALE is '") + text +
                                "': expected a number above 0, at most 1000");
  }
  return scale;
}

Deadline::Deadline(std::chrono::duration<double> from_now)
    : at_(std::chrono::steady_clock::now() +
          std::chrono::duration_cast<std::chrono::steady_clock::duration>(from_now *
                                                                          timeout_scale())) {}

int Deadline::remaining_ms() const {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(at_ - std::chrono::steady_clock::now());
  return static_cast<int>(
      std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

}  // namespace ddp::test
