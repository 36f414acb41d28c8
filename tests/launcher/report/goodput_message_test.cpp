#include "launcher/report/goodput_message.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace ddp;
using namespace std::chrono_literals;

TEST_CASE("the share, and the three largest parts of the rest that are worth a word") {
  core::Goodput goodput;
  goodput.total = 100s;
  goodput.productive = 78s;
  goodput.repeated = 10s;
  goodput.recovery = 4s;
  goodput.startup = 5s;
  goodput.teardown = 3s;
  CHECK(
      goodput_text(goodput) ==
      "78.0 % of 1.67 min was training that lasted; 10.0 s repeated steps, 5.00 s start-up, 4.00 s "
      "recovery");
  goodput = {.total = 100s, .productive = 99910ms, .shutdown = 90ms};
  CHECK(goodput_text(goodput) == "99.9 % of 1.67 min was training that lasted");
}
