#include "launcher/status/status_line.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>

using namespace ddp;
using namespace ddp::core;
using namespace std::chrono_literals;

namespace {

TimePoint at(Nanoseconds time) { return TimePoint(1h + time); }

Progress running(int nproc, Generation generation = 0) {
  Progress progress({.nproc = nproc});
  progress.apply(StartRequested{}, at(0s));
  progress.apply(GenerationBegan{generation, 0}, at(0s));
  for (LocalRank rank = 0; rank < nproc; ++rank)
    progress.apply(WorkerStarted{rank, 100 + rank}, at(0s));
  progress.apply(GroupRunning{generation}, at(0s));
  return progress;
}

void steps(Progress& progress, std::int64_t first, std::int64_t last, double busy_of_0 = 0.1) {
  for (auto step = first; step <= last; ++step) {
    for (LocalRank rank = 0; rank < progress.group().nproc; ++rank)
      progress.apply(WorkerStep{rank, step, rank == 0 ? busy_of_0 : 0.1, 2.41134},
                     at((step - first + 1) * 100ms));
  }
}

std::string line(const Progress& progress, int columns, int max_restarts = 0) {
  return status_line(progress, {.now = at(100s), .max_restarts = max_restarts, .columns = columns});
}

// Columns, where each character takes one.
int columns(const std::string& text) {
  int count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("all there is to say, on a wide terminal") {
  auto progress = running(4, 1);
  progress.apply(WorkerTotalSteps{0, 5000}, at(0s));
  steps(progress, 1225, 1234, 0.3);
  CHECK(line(progress, 200, 3) ==
        "attempt 1  4/4 ranks  step 1,234/5,000  ━━━───────────── 24 %  10 steps/s  loss 2.4113  "
        "rank 0 3.0x the median  2 restarts left  1:40  6:16 left");
}

TEST_CASE("on a narrow terminal what matters least is left out first") {
  auto progress = running(4, 1);
  progress.apply(WorkerTotalSteps{0, 5000}, at(0s));
  steps(progress, 1225, 1234, 0.3);
  CHECK(line(progress, 80, 3) ==
        "4/4 ranks  step 1,234/5,000  10 steps/s  loss 2.4113  1:40  6:16 left");
  CHECK(line(progress, 40, 3) == "4/4 ranks  step 1,234/5,000  6:16 left");
  CHECK(line(progress, 30, 3) == "4/4 ranks  step 1,234/5,000");
  for (int width = 10; width < 200; ++width) {
    CAPTURE(width);
    CHECK(columns(line(progress, width, 3)) < width);
  }
}

TEST_CASE("a worker that reports nothing") { CHECK(line(running(1), 80) == "1/1 rank  1:40"); }

TEST_CASE("what the group does, unless it runs") {
  auto progress = running(2);
  progress.apply(WorkerExited{1, Exited{1}}, at(1s));
  progress.apply(TeardownBegan{}, at(1s));
  CHECK(line(progress, 80, 1) == "stopping  1/2 ranks  1 restart left  1:40");
  progress.apply(GenerationOver{}, at(1s));
  progress.apply(WorkerExited{0, Exited{1}}, at(1s));
  CHECK(line(progress, 80) == "waiting to restart  0/2 ranks  1:40");
}

TEST_CASE("a step that takes long, a loss that is none, a run of days") {
  auto progress = running(1);
  progress.apply(WorkerStep{0, 1}, at(0s));
  progress.apply(WorkerStep{0, 2, std::nullopt, std::nan("")}, at(25s));
  CHECK(status_line(progress, {.now = at(50h), .columns = 80}) ==
        "1/1 rank  step 2  25 s/step  loss nan  2 d 02:00");
}

TEST_CASE("colours take no columns") {
  auto progress = running(2);
  progress.apply(WorkerTotalSteps{0, 20}, at(0s));
  steps(progress, 1, 10);
  const auto plain = line(progress, 80);
  auto coloured = status_line(progress, {.now = at(100s), .columns = 80, .colour = true});
  CHECK(coloured != plain);
  for (auto from = coloured.find('\x1b'); from != std::string::npos; from = coloured.find('\x1b'))
    coloured.erase(from, coloured.find('m', from) - from + 1);
  CHECK(coloured == plain);
}
