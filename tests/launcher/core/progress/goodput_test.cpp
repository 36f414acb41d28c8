#include "launcher/core/progress/goodput.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

using namespace ddp::core;
using namespace std::chrono_literals;

namespace {

TimePoint at(Nanoseconds time) { return TimePoint(1h + time); }

// Seconds of each part, in the order of kGoodputParts.
std::vector<double> parts(const Goodput& goodput) {
  std::vector<double> seconds;
  for (const auto& part : kGoodputParts)
    seconds.push_back(std::chrono::duration<double>(goodput.*part.time).count());
  return seconds;
}

struct Case {
  const char* name;
  std::function<void(GoodputMeter&)> run;
  // productive, repeated, checkpoint, start-up, detection, teardown, back-off, recovery, shutdown
  std::vector<double> seconds;
};

// An attempt that is ready at once and finishes steps first … last, one a second.
void steps(GoodputMeter& meter, Nanoseconds from, std::int64_t first, std::int64_t last) {
  meter.ready(at(from));
  for (auto step = first; step <= last; ++step)
    meter.stepped(step, first, at(from + (step - first + 1) * 1s), 0s);
}

const std::vector<Case> kCases{
    {"all steps last",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(1s));
       steps(meter, 3s, 1, 10);
       meter.ended(at(14s));
       meter.finished(at(15s));
     },
     {10, 0, 0, 3, 0, 0, 0, 0, 2}},
    {"a failure, and steps 6 to 8 again",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       steps(meter, 2s, 1, 8);  // until 10 s
       meter.stopping(at(10500ms));
       meter.ended(at(11s));
       meter.began(at(13s));
       steps(meter, 14s, 6, 10);
       meter.ended(at(19s));
       meter.finished(at(19s));
     },
     {10, 3, 0, 2, 0.5, 0.5, 2, 1, 0}},
    {"what was repeated twice counts as repeated twice",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       steps(meter, 0s, 1, 4);
       meter.stopping(at(4s));
       meter.ended(at(4s));
       meter.began(at(4s));
       steps(meter, 4s, 5, 6);
       meter.stopping(at(6s));
       meter.ended(at(6s));
       meter.began(at(6s));
       steps(meter, 6s, 3, 6);
       meter.ended(at(10s));
       meter.finished(at(10s));
     },
     {6, 4, 0, 0, 0, 0, 0, 0, 0}},
    {"checkpoints between steps; in repeated steps they are repeated",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       meter.ready(at(0s));
       meter.stepped(1, 1, at(1s), 0s);
       meter.stepped(2, 1, at(3s), 1s);
       meter.stepped(3, 1, at(5s), 2s);
       meter.stopping(at(5s));
       meter.ended(at(5s));
       meter.began(at(5s));
       steps(meter, 5s, 3, 3);
       meter.ended(at(6s));
       meter.finished(at(6s));
     },
     {3, 2, 1, 0, 0, 0, 0, 0, 0}},
    {"steps between two that are reported were equally long",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       meter.ready(at(0s));
       meter.stepped(10, 1, at(10s), 0s);
       meter.stepped(20, 1, at(30s), 0s);
       meter.stopping(at(30s));
       meter.ended(at(30s));
       meter.began(at(30s));
       steps(meter, 30s, 16, 16);
       meter.ended(at(31s));
       meter.finished(at(31s));
     },
     {21, 10, 0, 0, 0, 0, 0, 0, 0}},
    {"an attempt without a step is recovery",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       steps(meter, 0s, 1, 2);
       meter.stopping(at(2s));
       meter.ended(at(3s));
       meter.began(at(4s));
       meter.stopping(at(6s));
       meter.ended(at(7s));
       meter.began(at(7s));
       steps(meter, 7s, 3, 3);
       meter.ended(at(8s));
       meter.finished(at(8s));
     },
     {3, 0, 0, 0, 0, 2, 1, 2, 0}},
    {"a rank that sends no READY=1: the first step is start-up",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       meter.stepped(1, 1, at(2s), 0s);
       meter.stepped(2, 1, at(3s), 0s);
       meter.ended(at(3s));
       meter.finished(at(3s));
     },
     {1, 0, 0, 2, 0, 0, 0, 0, 0}},
    {"steps that are counted anew in each epoch",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       steps(meter, 0s, 1, 5);
       for (const auto step : {1, 2, 3}) meter.stepped(step, 1, at(5s + step * 1s), 0s);
       meter.ended(at(8s));
       meter.finished(at(8s));
     },
     {8, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"a run that failed for good: nothing did its steps again",
     [](GoodputMeter& meter) {
       meter.started(at(0s));
       meter.began(at(0s));
       steps(meter, 1s, 1, 3);
       meter.stopping(at(5s));
       meter.ended(at(6s));
       meter.finished(at(6s));
     },
     {3, 0, 0, 1, 1, 1, 0, 0, 0}},
};

}  // namespace

TEST_CASE("a run's time is divided without gap or overlap") {
  for (const auto& one : kCases) {
    CAPTURE(one.name);
    GoodputMeter meter;
    one.run(meter);
    const auto goodput = meter.result();
    REQUIRE(goodput);
    const auto seconds = parts(*goodput);
    double sum = 0;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      CAPTURE(kGoodputParts[i].name);
      CHECK(seconds[i] == doctest::Approx(one.seconds[i]));
      sum += seconds[i];
    }
    CHECK(sum == doctest::Approx(std::chrono::duration<double>(goodput->total).count()));
    CHECK(goodput->ratio() == doctest::Approx(one.seconds[0] / sum));
  }
}

TEST_CASE("without a step there is no goodput") {
  GoodputMeter meter;
  CHECK_FALSE(meter.result());
  meter.started(at(0s));
  meter.began(at(0s));
  meter.ready(at(1s));
  meter.ended(at(2s));
  meter.finished(at(2s));
  CHECK_FALSE(meter.result());
}

TEST_CASE("of a run that goes on, up to the last event") {
  GoodputMeter meter;
  meter.started(at(0s));
  meter.began(at(0s));
  steps(meter, 1s, 1, 3);
  const auto goodput = meter.result();
  REQUIRE(goodput);
  CHECK(goodput->total == 4s);
  CHECK(goodput->productive == 3s);
}

TEST_CASE("thousands of steps and attempts take bounded memory and add up") {
  GoodputMeter meter;
  meter.started(at(0s));
  Nanoseconds now = 0s;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    meter.began(at(now));
    meter.ready(at(now));
    // Each attempt repeats the 500 last steps of the one before.
    const std::int64_t first = attempt * 500 + 1;
    for (std::int64_t step = first; step < first + 1000; ++step)
      meter.stepped(step, first, at(now += 1ms), 0s);
    meter.stopping(at(now));
    meter.ended(at(now));
  }
  meter.finished(at(now));
  const auto goodput = meter.result();
  REQUIRE(goodput);
  CHECK(goodput->total == 1000s);
  CHECK(std::chrono::duration<double>(goodput->productive).count() ==
        doctest::Approx(500.5).epsilon(0.01));
  CHECK(goodput->productive + goodput->repeated == goodput->total);
}
