#include "common/duration_text.hpp"

#include <doctest/doctest.h>

using namespace ddp;
using namespace std::chrono_literals;

TEST_CASE("a measured duration has three digits") {
  CHECK(short_duration(400ns) == "400 ns");
  CHECK(short_duration(412us) == "412 us");
  CHECK(short_duration(1204us) == "1.20 ms");
  CHECK(short_duration(35100ms) == "35.1 s");
  CHECK(short_duration(99s) == "99.0 s");
  CHECK(short_duration(300s) == "5.00 min");
  CHECK(short_duration(0ns) == "0 s");
  CHECK(short_duration(1ns) == "1 ns");
  CHECK(short_duration(1204us, 2) == "1.2040 ms");
}

TEST_CASE("a limit reads as it was given") {
  CHECK(exact_duration(2s) == "2 s");
  CHECK(exact_duration(1999ms) == "1999 ms");
  CHECK(exact_duration(100'000s) == "100000 s");
  CHECK(exact_duration(600s) == "10 min");
  CHECK(exact_duration(7200s) == "2 h");
  CHECK(exact_duration(1ns) == "0.001 us");
  CHECK(exact_duration(0ns) == "0 s");
}

TEST_CASE("a duration in a sentence has the unit that a reader expects") {
  CHECK(duration_text(35ms) == "35 ms");
  CHECK(duration_text(1204ms) == "1.204 s");
  CHECK(duration_text(125s) == "2 min 5 s");
  CHECK(duration_text(7260s) == "2 h 1 min");
}

TEST_CASE("the rest of a limit is in whole seconds, and never negative") {
  CHECK(left_text(5s) == "5 s");
  CHECK(left_text(4600ms) == "5 s");
  CHECK(left_text(-1s) == "0 s");
}

TEST_CASE("a limit of the worker is in milliseconds or seconds") {
  CHECK(seconds_text(250ms) == "250 ms");
  CHECK(seconds_text(30s) == "30 s");
  CHECK(seconds_text(1500ms) == "1.5 s");
  CHECK(seconds_text(600s) == "600 s");
}
