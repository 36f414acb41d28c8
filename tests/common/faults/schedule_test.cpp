#include "common/faults/schedule.hpp"
#include "common/faults/worker_faults.hpp"
#include "common/notify_message.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <set>

namespace {

using namespace ddp::fault;

Spec spec(std::string_view text) {
  const auto parsed = parse(text);
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error()));
  return *parsed;
}

WorkerFaults worker(const std::string& variable, int rank, int world_size, int generation = 0) {
  const auto faults = WorkerFaults::read(
      [&](const char* name) {
        return std::string_view(name) == "DDP_FAULTS" ? variable.c_str() : nullptr;
      },
      rank, world_size, generation);
  REQUIRE_MESSAGE(faults, (faults ? "" : faults.error()));
  return *faults;
}

constexpr Kind kExit[] = {Kind::exit};
constexpr Kind kDelay[] = {Kind::delay};

}  // namespace

TEST_CASE("the draw is the same on every machine") {
  // Fixed for good: a plan's seed would otherwise mean something else tomorrow.
  CHECK(draw(0, 0) == draw(0, 0));
  CHECK(draw(7, 1, 2, 3) == 1867368617898080398u);
  CHECK(draw(7, 1, 2, 3) != draw(7, 2, 1, 3));
}

TEST_CASE("a step drawn from a range lies in it, and all of it is drawn") {
  const Spec s = spec("kill@step=10-19,times=1000");
  const Schedule schedule(s, 3, 0, Schedule::kAny, 4);
  std::set<std::int64_t> steps;
  std::map<int, int> ranks;
  for (std::int64_t k = 0; k < schedule.times(); ++k) {
    steps.insert(schedule.step(k));
    ++ranks[schedule.rank(k)];
  }
  CHECK(steps.size() == 10);
  CHECK(*steps.begin() == 10);
  CHECK(*steps.rbegin() == 19);
  REQUIRE(ranks.size() == 4);
  for (const auto& [rank, count] : ranks) CHECK(std::abs(count - 250) < 60);
}

TEST_CASE("the mean time between failures is the mean, and steps ascend") {
  const Schedule schedule(spec("kill@mtbf=20steps"), 11, 0, Schedule::kAny, 4);
  for (std::int64_t k = 1; k < 5000; ++k) REQUIRE(schedule.step(k) > schedule.step(k - 1));
  const double mean = static_cast<double>(schedule.step(4999)) / 5000;
  CHECK(std::abs(mean - 20) < 1);
  // Asked for out of order, the answers are the same.
  const Schedule again(spec("kill@mtbf=20steps"), 11, 0, Schedule::kAny, 4);
  CHECK(again.step(4999) == schedule.step(4999));
  CHECK(again.step(17) == schedule.step(17));
}

TEST_CASE("seed, place in the plan and slot each change what is drawn") {
  const Spec s = spec("kill@mtbf=1000steps");
  const auto first = [&](std::uint64_t seed, int fault, int slot) {
    return Schedule(s, seed, fault, slot, 4).step(0);
  };
  CHECK(first(1, 0, 0) == first(1, 0, 0));
  CHECK(first(1, 0, 0) != first(2, 0, 0));
  CHECK(first(1, 0, 0) != first(1, 1, 0));
  CHECK(first(1, 0, 0) != first(1, 0, 1));
  const Spec own = spec("kill@mtbf=1000steps,seed=1");
  CHECK(Schedule(own, 99, 0, 0, 4).step(0) == first(1, 0, 0));
}

TEST_CASE("a worker that reports few steps gets one fault for those it passed") {
  const Schedule schedule(spec("delay=1s@every=10steps"), 0, 0, 2, 4);
  Progress progress;
  CHECK_FALSE(take_due(schedule, progress, 2, 9));
  CHECK(take_due(schedule, progress, 2, 10) == 0);
  CHECK_FALSE(take_due(schedule, progress, 2, 11));
  CHECK(take_due(schedule, progress, 2, 100) == 1);
  CHECK(progress.next == 10);
  CHECK_FALSE(take_due(schedule, progress, 2, 109));
  CHECK(take_due(schedule, progress, 2, 110) == 10);
}

TEST_CASE("whichever rank comes first, each gets its faults at the same steps") {
  const Schedule schedule(spec("delay=1ms@mtbf=3steps,rank=any"), 5, 0, Schedule::kAny, 3);
  using Injections = std::set<std::pair<std::int64_t, int>>;  // step, rank
  const auto run = [&](std::vector<int> order) {
    Progress progress;
    Injections injections;
    for (std::int64_t step = 0; step < 200; ++step) {
      for (const int rank : order) {
        if (const auto k = take_due(schedule, progress, rank, step)) {
          CHECK(schedule.step(*k) == step);
          injections.insert({step, rank});
        }
      }
    }
    return injections;
  };
  const auto injections = run({0, 1, 2});
  CHECK(injections.size() > 30);
  CHECK(run({2, 1, 0}) == injections);
  CHECK(run({1, 2, 0}) == injections);
}

TEST_CASE("what the launcher passes on is what the worker reads") {
  WorkerFaultEntry entry;
  entry.fault = 3;
  entry.progress.next = 2;
  entry.progress.done = {4, 7};
  entry.spec = spec("delay=5ms@rank=1,every=10steps,seed=9");
  WorkerFaultEntry other;
  other.spec = spec("exit=3@rank=any,step=7,seed=1");
  const std::string text = format_entries({entry, other});
  CHECK(text == "3/2,4,7:delay=5ms@rank=1,every=10steps,seed=9;0/0:exit=3@rank=any,step=7,seed=1");
  const auto back = parse_entries(text);
  REQUIRE(back);
  REQUIRE(back->size() == 2);
  CHECK((*back)[0].progress.done == std::set<std::int64_t>{4, 7});
  CHECK(format_entries(*back) == text);
  CHECK(parse_entries("")->empty());
  for (const char* bad : {"x", "0:exit=3", "0/0", "0/0:exit", "0/0:kill", "0/a:exit=3", "-1/0:nan"})
    CHECK_FALSE(parse_entries(bad));
}

TEST_CASE("injection ids are read back, and nothing else is") {
  const InjectionId id{2, 31, 50};
  CHECK(format_injection_id(id) == "2.31@50");
  CHECK(parse_injection_id("2.31@50") == id);
  for (const char* bad : {"", "2", "2.1", "2.1@", ".1@2", "2.1@x", "-1.1@2", "2.1@3 "})
    CHECK_FALSE(parse_injection_id(bad));
}

TEST_CASE("without the variable no plan is active; with an empty one it is") {
  const auto none = WorkerFaults::read([](const char*) -> const char* { return nullptr; }, 0, 1, 0);
  REQUIRE(none);
  CHECK_FALSE(none->active());
  CHECK(worker("", 0, 1).active());
  const auto bad = WorkerFaults::read([](const char*) { return "0/0:exot=3"; }, 0, 1, 0);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().starts_with("DDP_FAULTS: 'exot=3': column 1: 'exot': expected "));
}

TEST_CASE("a worker injects at its step, once, and only if it is the rank meant") {
  const std::string plan = "4/0:exit=3@rank=2,step=7,seed=0";
  WorkerFaults faults = worker(plan, 2, 4);
  CHECK(faults.take(6, kExit).empty());
  CHECK(faults.take(7, kDelay).empty());  // not asked for: stays due
  const auto injections = faults.take(7, kExit);
  REQUIRE(injections.size() == 1);
  CHECK(injections[0].kind == Kind::exit);
  CHECK(injections[0].value == Value(std::int64_t{3}));
  CHECK(injections[0].id == InjectionId{4, 0, 7});
  CHECK(faults.take(8, kExit).empty());

  WorkerFaults other = worker(plan, 1, 4);
  CHECK(other.take(7, kExit).empty());
  WorkerFaults done = worker("4/1:exit=3@rank=2,step=7,seed=0", 2, 4);
  CHECK(done.take(7, kExit).empty());
  WorkerFaults later = worker("4/0:exit=3@rank=2,step=7,gen=1,seed=0", 2, 4, 0);
  CHECK(later.take(7, kExit).empty());
  WorkerFaults now = worker("4/0:exit=3@rank=2,step=7,gen=1,seed=0", 2, 4, 1);
  CHECK(now.take(7, kExit).size() == 1);
}

TEST_CASE("of rank=any exactly one worker injects") {
  for (int seed = 0; seed < 50; ++seed) {
    int injected = 0;
    for (int rank = 0; rank < 4; ++rank) {
      WorkerFaults faults =
          worker("0/0:exit=3@rank=any,step=7,seed=" + std::to_string(seed), rank, 4);
      injected += static_cast<int>(faults.take(7, kExit).size());
    }
    CHECK(injected == 1);
  }
}

TEST_CASE("twice means in two attempts, not at two steps in a row") {
  WorkerFaults faults = worker("0/0:exit=3@rank=0,step=7,times=2,seed=0", 0, 1);
  CHECK(faults.take(7, kExit).size() == 1);
  CHECK(faults.take(8, kExit).empty());
  WorkerFaults next = worker("0/1:exit=3@rank=0,step=7,times=2,seed=0", 0, 1, 1);
  CHECK(next.take(8, kExit).size() == 1);
}

TEST_CASE("a digest and an injection's id are notifications, within their limits") {
  const auto message = ddp::parse_notify("X_DDP_DIGEST=00ff\nX_DDP_FAULT=2.31@50\n");
  CHECK(message.digest == "00ff");
  REQUIRE(message.fault);
  CHECK(parse_injection_id(*message.fault) == InjectionId{2, 31, 50});
  CHECK_FALSE(ddp::parse_notify("X_DDP_DIGEST=\nX_DDP_FAULT=\x1b[2J").digest);
  CHECK_FALSE(ddp::parse_notify("X_DDP_DIGEST=" + std::string(65, 'f')).digest);
}

TEST_CASE(
    "entries inject where the table shows, which examples/ddp_faults.py is tested with as well") {
  std::ifstream table(DDP_SOURCE_DIR "/tests/support/fault_schedule.txt");
  std::vector<Kind> all;
  for (const auto& row : kinds()) all.push_back(row.kind);
  int entries = 0;
  for (std::string line; std::getline(table, line); ++entries) {
    const std::string entry = line.substr(0, line.find(' '));
    std::string found = entry;
    for (int rank = 0; rank < 4; ++rank) {
      WorkerFaults faults = worker(entry, rank, 4, 1);
      for (std::int64_t step = 1; step <= 100; ++step) {
        for (const auto& injection : faults.take(step, all)) {
          found += " " + std::to_string(rank) + ":" + format_injection_id(injection.id) + ":" +
                   std::to_string(injection.choice);
        }
      }
    }
    CHECK(found == line);
  }
  CHECK(entries == 5);
}
