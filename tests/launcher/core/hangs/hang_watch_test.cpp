// When a group hangs: each limit with the news that keeps it from being exceeded, and thousands of
// random lives held against what the limits mean.
#include "launcher/core/hangs/hang_watch.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

namespace {

using namespace ddp::core;
using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(double s) { return TimePoint(Nanoseconds(static_cast<std::int64_t>(s * 1e9))); }

struct Outputs {
  std::map<LocalRank, TimePoint> last;
  HangWatch::LastOutput look() {
    return [this](LocalRank rank) -> std::optional<TimePoint> {
      const auto found = last.find(rank);
      return found == last.end() ? std::nullopt : std::optional(found->second);
    };
  }
};

// A generation of `nproc` ranks, begun at 0 and all started at 1 s.
HangWatch watch(HangLimits limits, Outputs& outputs, int nproc = 2) {
  HangWatch watch(limits, nproc, outputs.look());
  watch.apply(StartRequested{}, at(0));
  watch.apply(GenerationBegan{}, at(0));
  for (int rank = 0; rank < nproc; ++rank) watch.apply(WorkerStarted{rank, 1}, at(1));
  return watch;
}

std::vector<int> behind(const Hang& hang) {
  std::vector<int> ranks;
  for (const auto& rank : hang.ranks) {
    if (rank.behind) ranks.push_back(rank.local_rank);
  }
  return ranks;
}

}  // namespace

TEST_CASE("with every limit off nothing is ever due") {
  Outputs outputs;
  auto hangs = watch({}, outputs);
  CHECK_FALSE(HangLimits{}.any());
  hangs.apply(WorkerReady{0}, at(2));
  hangs.apply(WorkerStep{0, 1}, at(3));
  CHECK_FALSE(hangs.next_deadline());
  CHECK_FALSE(hangs.check(at(1e6)));
}

TEST_CASE("ready: every rank must be, in time from the start of the attempt") {
  Outputs outputs;
  auto hangs = watch({.ready = seconds(30)}, outputs);
  hangs.apply(WorkerReady{0}, at(5));
  CHECK(hangs.next_deadline() == at(30));
  CHECK_FALSE(hangs.check(at(29.9)));
  const auto hang = hangs.check(at(30));
  REQUIRE(hang);
  CHECK(hang->kind == HangKind::not_ready);
  CHECK(hang->limit == seconds(30));
  CHECK(behind(*hang) == std::vector{1});
  CHECK(hang->ranks[0].ready);
  SUBCASE("once per attempt") {
    CHECK_FALSE(hangs.next_deadline());
    hangs.apply(GenerationBegan{}, at(40));
    CHECK(hangs.next_deadline() == at(70));
  }
}

TEST_CASE("a rank that is not started yet is reported as such") {
  Outputs outputs;
  HangWatch hangs({.run = seconds(10)}, 2, outputs.look());
  hangs.apply(StartRequested{}, at(0));
  hangs.apply(GenerationBegan{}, at(0));
  hangs.apply(WorkerStarted{1, 1}, at(1));
  const auto hang = hangs.check(at(10));
  REQUIRE(hang);
  CHECK_FALSE(hang->ranks[0].started);
  CHECK(hang->ranks[1].started);
}

TEST_CASE("ready: no hang once all are, and an ended rank is not waited for") {
  Outputs outputs;
  auto hangs = watch({.ready = seconds(30)}, outputs);
  hangs.apply(WorkerReady{0}, at(5));
  SUBCASE("ready") { hangs.apply(WorkerReady{1}, at(29)); }
  SUBCASE("ended") { hangs.apply(WorkerExited{1, Exited{0}}, at(6)); }
  CHECK_FALSE(hangs.next_deadline());
  CHECK_FALSE(hangs.check(at(100)));
}

TEST_CASE("heartbeat: from READY=1 or the first WATCHDOG=1 on") {
  Outputs outputs;
  auto hangs = watch({.heartbeat = seconds(5)}, outputs, 3);
  CHECK_FALSE(hangs.next_deadline());  // no rank has sent one yet
  hangs.apply(WorkerReady{0}, at(10));
  hangs.apply(WorkerHeartbeat{1}, at(12));
  hangs.apply(WorkerHeartbeat{0}, at(14));
  CHECK(hangs.next_deadline() == at(17));
  hangs.apply(WorkerHeartbeat{1}, at(16));
  CHECK_FALSE(hangs.check(at(17)));
  const auto hang = hangs.check(at(19));
  REQUIRE(hang);
  CHECK(hang->kind == HangKind::no_heartbeat);
  CHECK(behind(*hang) == std::vector{0});
}

TEST_CASE("progress: the slowest of the ranks that report steps counts") {
  Outputs outputs;
  auto hangs = watch({.progress = seconds(10)}, outputs, 4);
  CHECK(hangs.next_deadline() == at(11));  // none is ready: from the last start
  hangs.apply(WorkerReady{2}, at(3));
  CHECK(hangs.next_deadline() == at(13));
  for (int rank = 0; rank < 3; ++rank)
    hangs.apply(WorkerStep{rank, 41}, at(12 + rank));  // rank 3 reports none
  hangs.apply(WorkerPhase{1, "train"}, at(19));
  hangs.apply(WorkerStep{0, 42}, at(20));
  hangs.apply(WorkerStep{2, 42}, at(21));
  hangs.apply(WorkerStep{1, 41}, at(22));  // the same again is no progress
  CHECK_FALSE(hangs.check(at(22.5)));
  const auto hang = hangs.check(at(23));
  REQUIRE(hang);
  CHECK(hang->kind == HangKind::no_progress);
  CHECK(behind(*hang) == std::vector{1});
  CHECK(hang->ranks[1].step == 41);
  CHECK(hang->ranks[1].phase == "train");
  CHECK_FALSE(hang->ranks[3].step);
}

TEST_CASE("progress: none is behind where all are at one step, or reported none") {
  Outputs outputs;
  auto hangs = watch({.progress = seconds(10)}, outputs);
  SUBCASE("one step") {
    hangs.apply(WorkerStep{0, 7}, at(2));
    hangs.apply(WorkerStep{1, 7}, at(2));
  }
  SUBCASE("no step") {}
  const auto hang = hangs.check(at(12));
  REQUIRE(hang);
  CHECK(behind(*hang).empty());
}

TEST_CASE(
    "progress: when all that reported steps have exited, one that lives on is waited for no more") {
  Outputs outputs;
  auto hangs = watch({.progress = seconds(10)}, outputs, 3);
  hangs.apply(WorkerReady{1}, at(3));
  hangs.apply(WorkerStep{0, 100}, at(5));
  hangs.apply(WorkerStep{2, 100}, at(6));
  hangs.apply(WorkerExited{0, Exited{0}}, at(7));
  CHECK(hangs.next_deadline() == at(16));  // rank 2 still reports them
  hangs.apply(WorkerExited{2, Exited{0}}, at(8));
  CHECK(hangs.next_deadline() == at(18));  // from the last one's end
  SUBCASE("a hang") {
    const auto hang = hangs.check(at(18));
    REQUIRE(hang);
    CHECK(hang->kind == HangKind::no_progress);
    CHECK(root_cause_rank(*hang) == 1);
  }
  SUBCASE("it reports steps after all") {
    hangs.apply(WorkerStep{1, 1}, at(17));
    CHECK(hangs.next_deadline() == at(27));
  }
  SUBCASE("all have ended") {
    hangs.apply(WorkerExited{1, Exited{0}}, at(9));
    CHECK_FALSE(hangs.next_deadline());
  }
}

TEST_CASE("progress: counting anew, as a new epoch does, is progress") {
  Outputs outputs;
  auto hangs = watch({.progress = seconds(10)}, outputs, 1);
  hangs.apply(WorkerStep{0, 100}, at(5));
  hangs.apply(WorkerStep{0, 1}, at(14));
  CHECK(hangs.next_deadline() == at(24));
}

TEST_CASE("output: looked up when it may be missing, not reported with each line") {
  Outputs outputs;
  auto hangs = watch({.output = seconds(10)}, outputs);
  CHECK(hangs.next_deadline() == at(11));
  outputs.last[0] = at(8);
  outputs.last[1] = at(9);
  CHECK(hangs.next_deadline() == at(11));
  CHECK_FALSE(hangs.check(at(11)));
  CHECK(hangs.next_deadline() == at(18));
  outputs.last[1] = at(17);
  const auto hang = hangs.check(at(18));
  REQUIRE(hang);
  CHECK(hang->kind == HangKind::silent);
  CHECK(behind(*hang) == std::vector{0});
}

TEST_CASE("the whole run: over attempts, reported once, and also between them") {
  Outputs outputs;
  auto hangs = watch({.run = seconds(60)}, outputs);
  hangs.apply(WorkerStep{0, 3}, at(10));
  hangs.apply(WorkerStep{1, 4}, at(10));
  hangs.apply(TeardownBegan{}, at(20));
  hangs.apply(GenerationBegan{}, at(30));
  hangs.apply(TeardownBegan{}, at(20));
  CHECK(hangs.next_deadline() == at(60));
  const auto hang = hangs.check(at(61));
  REQUIRE(hang);
  CHECK(hang->kind == HangKind::run_timeout);
  hangs.apply(GenerationBegan{}, at(70));
  CHECK_FALSE(hangs.next_deadline());
}

TEST_CASE("of several limits the one that is exceeded first is reported") {
  Outputs outputs;
  auto hangs = watch({.ready = seconds(30), .output = seconds(5), .run = seconds(10)}, outputs);
  CHECK(hangs.shortest() == seconds(5));
  CHECK(hangs.check(at(100))->kind == HangKind::silent);
}

TEST_CASE("a stop of everything does not count") {
  Outputs outputs;
  const HangLimits limits{.ready = seconds(10),
                          .heartbeat = seconds(10),
                          .progress = seconds(10),
                          .output = seconds(10),
                          .run = seconds(10)};
  for (auto kept : {&HangLimits::ready, &HangLimits::heartbeat, &HangLimits::progress,
                    &HangLimits::output, &HangLimits::run}) {
    HangLimits one;
    one.*kept = limits.*kept;
    auto hangs = watch(one, outputs, 1);
    hangs.apply(WorkerHeartbeat{0}, at(1));
    const auto before = hangs.next_deadline();
    outputs.last[0] = at(2);  // written before, seen after
    hangs.apply(Suspended{seconds(100)}, {});
    REQUIRE(hangs.next_deadline());
    CHECK(*hangs.next_deadline() >= *before + seconds(100));
    CHECK_FALSE(hangs.check(at(105)));
    CHECK(hangs.check(at(113)));
    outputs.last.clear();
  }
}

TEST_CASE("random runs: a hang is reported when, and only when, a limit is exceeded") {
  std::mt19937 random(7);
  const auto dice = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int hangs_seen = 0;
  for (int life = 0; life < 3000; ++life) {
    const int nproc = 1 + dice(4);
    HangLimits limits;
    if (dice(2) == 0) limits.ready = milliseconds(1 + dice(500));
    if (dice(2) == 0) limits.heartbeat = milliseconds(1 + dice(500));
    if (dice(2) == 0) limits.progress = milliseconds(1 + dice(500));
    if (dice(2) == 0) limits.output = milliseconds(1 + dice(500));
    if (dice(3) == 0) limits.run = milliseconds(1 + dice(3000));
    Outputs outputs;
    HangWatch watch(limits, nproc, outputs.look());
    TimePoint now{};
    watch.apply(StartRequested{}, now);
    watch.apply(GenerationBegan{}, now);
    int started = 0;
    int ended = 0;
    std::vector<bool> gone(static_cast<std::size_t>(nproc));
    for (int i = 0; i < 100; ++i) {
      now += milliseconds(dice(30));
      const auto due = watch.next_deadline();
      const auto hang = watch.check(now);
      // Only ever too early by output that has not been looked up.
      if (hang) REQUIRE((due && *due <= now));
      if (due && *due <= now && !hang) REQUIRE(limits.output > Nanoseconds::zero());
      if (const auto next = watch.next_deadline(); !hang && next) REQUIRE(*next > now);
      if (hang) {
        ++hangs_seen;
        REQUIRE(hang->ranks.size() == static_cast<std::size_t>(nproc));
        for (const auto& rank : hang->ranks) {
          REQUIRE_FALSE((rank.behind && rank.ended));
        }
        if (hang->kind != HangKind::run_timeout && hang->kind != HangKind::no_progress) {
          REQUIRE_FALSE(behind(*hang).empty());
        }
        if (const auto next = watch.next_deadline()) {
          REQUIRE(hang->kind != HangKind::run_timeout);
          REQUIRE(limits.run > Nanoseconds::zero());
        }
        break;
      }
      const auto armed = watch.next_deadline();
      if (started < nproc) {
        watch.apply(WorkerStarted{started++, 1}, now);
      } else {
        const int rank = dice(nproc);
        if (gone[static_cast<std::size_t>(rank)]) continue;
        switch (dice(8)) {
          case 0:
            watch.apply(WorkerReady{rank}, now);
            break;
          case 1:
            watch.apply(WorkerHeartbeat{rank}, now);
            break;
          case 2:
          case 3:
            watch.apply(WorkerStep{rank, i}, now);
            break;
          case 4:
            watch.apply(Suspended{milliseconds(dice(50))}, {});
            break;
          case 5:
            if (dice(20) == 0) {
              watch.apply(WorkerExited{rank, Exited{0}}, now);
              gone[static_cast<std::size_t>(rank)] = true;
              ++ended;
            }
            break;
          default:
            outputs.last[rank] = now;
        }
      }
      // The rule a timer may rely on.
      const auto next = watch.next_deadline();
      if (next && (!armed || *next < *armed)) REQUIRE(*next >= now + watch.shortest());
      if (ended == nproc && limits.run == Nanoseconds::zero()) REQUIRE_FALSE(next);
    }
  }
  CHECK(hangs_seen > 1000);  // and not only lives without one
}
