#include "launcher/core/group/responsiveness.hpp"

#include <doctest/doctest.h>

using namespace ddp::core;
using std::chrono::seconds;

namespace {

TimePoint at(int second) { return TimePoint{} + seconds(second); }

}  // namespace

TEST_CASE("a stop request that was read is checked once") {
  Responsiveness supervisor(seconds(5));
  CHECK_FALSE(supervisor.next_check());
  supervisor.sent(true, at(0));
  CHECK(supervisor.next_check() == at(5));
  CHECK_FALSE(supervisor.timed_out(0, false, at(5)));
  CHECK_FALSE(supervisor.next_check());
}

TEST_CASE("one that stays unread ends the wait at the second check") {
  Responsiveness supervisor(seconds(5));
  supervisor.sent(true, at(0));
  CHECK_FALSE(supervisor.timed_out(1, false, at(5)));
  CHECK(supervisor.next_check() == at(10));
  CHECK(supervisor.timed_out(1, false, at(10)));
}

TEST_CASE("more requests on the way change nothing") {
  Responsiveness supervisor(seconds(5));
  supervisor.sent(true, at(0));
  supervisor.sent(true, at(4));
  CHECK(supervisor.next_check() == at(5));
  CHECK_FALSE(supervisor.timed_out(2, false, at(5)));
  supervisor.sent(true, at(9));
  CHECK(supervisor.timed_out(3, false, at(10)));
}

TEST_CASE("what has come since the first was read has its own time") {
  Responsiveness supervisor(seconds(5));
  supervisor.sent(true, at(0));
  supervisor.sent(true, at(4));
  CHECK_FALSE(supervisor.timed_out(1, false, at(5)));
  CHECK(supervisor.next_check() == at(10));
  CHECK_FALSE(supervisor.timed_out(1, false, at(10)));
  CHECK(supervisor.timed_out(1, false, at(15)));
}

TEST_CASE("a signal for the workers need not be read") {
  Responsiveness supervisor(seconds(5));
  supervisor.sent(false, at(0));
  CHECK_FALSE(supervisor.next_check());
  supervisor.sent(true, at(9));
  CHECK(supervisor.next_check() == at(14));
}

TEST_CASE("one that is stopped or debugged is waited for, and has its whole time afterwards") {
  Responsiveness supervisor(seconds(5));
  supervisor.sent(true, at(0));
  CHECK_FALSE(supervisor.timed_out(1, false, at(5)));
  for (int second = 10; second < 60; second += 5)
    CHECK_FALSE(supervisor.timed_out(1, true, at(second)));
  CHECK_FALSE(supervisor.timed_out(1, false, at(60)));
  CHECK(supervisor.timed_out(1, false, at(65)));
}
