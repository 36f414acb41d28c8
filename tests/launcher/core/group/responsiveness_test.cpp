#include "launcher/core/group/responsiveness.hpp"

#include <doctest/doctest.h>

using namespace ddp::core;
using std::chrono::seconds;

namespace {

TimePoint at(int second) { return TimePoint{} + seconds(second); }

}  // namespace

TEST_CASE("a stop request that was read is looked for once") {
  Responsiveness hearing(seconds(5));
  CHECK_FALSE(hearing.next_look());
  hearing.sent(true, at(0));
  CHECK(hearing.next_look() == at(5));
  CHECK_FALSE(hearing.timed_out(0, false, at(5)));
  CHECK_FALSE(hearing.next_look());
}

TEST_CASE("one that stays unread ends the wait at the second look") {
  Responsiveness hearing(seconds(5));
  hearing.sent(true, at(0));
  CHECK_FALSE(hearing.timed_out(1, false, at(5)));
  CHECK(hearing.next_look() == at(10));
  CHECK(hearing.timed_out(1, false, at(10)));
}

TEST_CASE("more requests on the way change nothing") {
  Responsiveness hearing(seconds(5));
  hearing.sent(true, at(0));
  hearing.sent(true, at(4));
  CHECK(hearing.next_look() == at(5));
  CHECK_FALSE(hearing.timed_out(2, false, at(5)));
  hearing.sent(true, at(9));
  CHECK(hearing.timed_out(3, false, at(10)));
}

TEST_CASE("what has come since the first was read has its own time") {
  Responsiveness hearing(seconds(5));
  hearing.sent(true, at(0));
  hearing.sent(true, at(4));
  CHECK_FALSE(hearing.timed_out(1, false, at(5)));
  CHECK(hearing.next_look() == at(10));
  CHECK_FALSE(hearing.timed_out(1, false, at(10)));
  CHECK(hearing.timed_out(1, false, at(15)));
}

TEST_CASE("a signal for the workers need not be heard") {
  Responsiveness hearing(seconds(5));
  hearing.sent(false, at(0));
  CHECK_FALSE(hearing.next_look());
  hearing.sent(true, at(9));
  CHECK(hearing.next_look() == at(14));
}

TEST_CASE("one that is stopped or debugged is waited for, and has its whole time afterwards") {
  Responsiveness hearing(seconds(5));
  hearing.sent(true, at(0));
  CHECK_FALSE(hearing.timed_out(1, false, at(5)));
  for (int second = 10; second < 60; second += 5)
    CHECK_FALSE(hearing.timed_out(1, true, at(second)));
  CHECK_FALSE(hearing.timed_out(1, false, at(60)));
  CHECK(hearing.timed_out(1, false, at(65)));
}
