#include "launcher/core/faults/engine.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace {

using namespace ddp::core;
using ddp::fault::Kind;
using ddp::fault::Spec;
using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint at(Nanoseconds since) { return TimePoint{} + since; }

std::vector<Spec> specs(const std::vector<std::string>& texts, int world_size = 4) {
  std::vector<Spec> all;
  for (const auto& text : texts) {
    const auto spec = ddp::fault::parse(text, world_size);
    REQUIRE_MESSAGE(spec, (spec ? "" : spec.error()));
    all.push_back(*spec);
  }
  return all;
}

FaultEngine engine(const std::vector<std::string>& texts, int nproc = 4, std::uint64_t seed = 1) {
  return FaultEngine(specs(texts, nproc), seed, {.nproc = nproc});
}

template <class T>
std::vector<T> of(const FaultActions& actions) {
  std::vector<T> found;
  for (const auto& action : actions) {
    if (const auto* one = std::get_if<T>(&action)) found.push_back(*one);
  }
  return found;
}

void start(FaultEngine& engine, Generation generation, int nproc, TimePoint now) {
  engine.step(GenerationBegan{generation}, now);
  for (int rank = 0; rank < nproc; ++rank) {
    engine.step(WorkerDue{rank}, now);
    engine.step(WorkerStarted{rank}, now);
  }
}

// "kill 2@50": which fault, into which rank, at which step.
std::vector<std::string> texts(const FaultActions& actions) {
  std::vector<std::string> all;
  for (const auto& injection : of<Injection>(actions)) {
    all.push_back(std::string(ddp::fault::info(injection.kind).name) + " " +
                  (injection.local_rank ? std::to_string(*injection.local_rank) : "-") +
                  (injection.step ? "@" + std::to_string(*injection.step) : ""));
  }
  return all;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a fault at a step is injected into its rank at that step, once") {
  FaultEngine e = engine({"kill@step=50,rank=2"});
  start(e, 0, 4, at(seconds(1)));
  CHECK(texts(e.step(WorkerStep{2, 49}, at(seconds(2)))).empty());
  CHECK(texts(e.step(WorkerStep{1, 50}, at(seconds(2)))).empty());
  CHECK(texts(e.step(WorkerStep{2, 50}, at(seconds(2)))) == Texts{"kill 2@50"});
  CHECK(texts(e.step(WorkerStep{2, 51}, at(seconds(2)))).empty());
  e.step(TeardownBegan{}, at(seconds(2)));
  start(e, 1, 4, at(seconds(3)));
  CHECK(texts(e.step(WorkerStep{2, 50}, at(seconds(4)))).empty());
}

TEST_CASE("a step that is never reported is reached by the next one that is") {
  FaultEngine e = engine({"kill@step=50,rank=0"});
  start(e, 0, 4, at(seconds(1)));
  CHECK(texts(e.step(WorkerStep{0, 45}, at(seconds(2)))).empty());
  CHECK(texts(e.step(WorkerStep{0, 60}, at(seconds(2)))) == Texts{"kill 0@60"});
}

TEST_CASE("twice is once in each of two attempts") {
  FaultEngine e = engine({"kill@step=5,rank=1,times=2"});
  for (int generation = 0; generation < 4; ++generation) {
    start(e, generation, 4, at(seconds(generation)));
    CHECK(texts(e.step(WorkerStep{1, 5}, at(seconds(generation)))).size() ==
          (generation < 2 ? 1u : 0u));
    CHECK(texts(e.step(WorkerStep{1, 6}, at(seconds(generation)))).empty());
    e.step(TeardownBegan{}, at(seconds(generation)));
  }
}

TEST_CASE("ranks: several, all, and one drawn by the seed") {
  FaultEngine several = engine({"kill@step=1,rank=0,2-3"});
  start(several, 0, 4, at(seconds(0)));
  Texts all;
  for (int rank = 0; rank < 4; ++rank) {
    for (auto& one : texts(several.step(WorkerStep{rank, 1}, at(seconds(1))))) all.push_back(one);
  }
  CHECK(all == Texts{"kill 0@1", "kill 2@1", "kill 3@1"});

  std::set<std::string> drawn;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    FaultEngine any = engine({"kill@step=1"}, 4, seed);
    start(any, 0, 4, at(seconds(0)));
    Texts injected;
    for (int rank = 0; rank < 4; ++rank) {
      for (auto& one : texts(any.step(WorkerStep{rank, 1}, at(seconds(1)))))
        injected.push_back(one);
    }
    REQUIRE(injected.size() == 1);
    drawn.insert(injected[0]);
  }
  CHECK(drawn.size() == 4);
}

TEST_CASE("ranks are global where a machine has only some of them") {
  FaultEngine e(specs({"kill@step=1,rank=3", "kill@step=1,rank=0"}), 0,
                {.nproc = 2, .nnodes = 2, .node_rank = 1});
  start(e, 0, 2, at(seconds(0)));
  CHECK(texts(e.step(WorkerStep{0, 1}, at(seconds(1)))).empty());
  const auto actions = e.step(WorkerStep{1, 1}, at(seconds(1)));
  CHECK(texts(actions) == Texts{"kill 1@1"});
  CHECK(ddp::fault::format(of<Injection>(actions)[0].replay) == "kill@rank=3,step=1,gen=0");
}

TEST_CASE("time since start and since ready, with a deadline to be woken at") {
  FaultEngine e = engine({"kill@after=5s,rank=0", "stop@ready=2s,rank=1"});
  start(e, 0, 4, at(seconds(10)));
  CHECK(e.next_deadline() == at(seconds(15)));
  CHECK(texts(e.step(WorkerReady{1}, at(seconds(11)))).empty());
  CHECK(e.next_deadline() == at(seconds(13)));
  CHECK(texts(e.step(Tick{}, at(seconds(13)))) == Texts{"stop 1"});
  CHECK(texts(e.step(Tick{}, at(milliseconds(14999)))).empty());
  const auto actions = e.step(Tick{}, at(seconds(15)));
  CHECK(texts(actions) == Texts{"kill 0"});
  CHECK(of<Injection>(actions)[0].since_start == seconds(5));
  CHECK_FALSE(e.next_deadline());
}

TEST_CASE("conditions hold together") {
  FaultEngine e = engine({"kill@step=5,after=10s,rank=0"});
  start(e, 0, 4, at(seconds(0)));
  CHECK_FALSE(e.next_deadline());  // no need to wake before the step is reached
  CHECK(texts(e.step(WorkerStep{0, 7}, at(seconds(3)))).empty());
  CHECK(e.next_deadline() == at(seconds(10)));
  CHECK(texts(e.step(Tick{}, at(seconds(10)))) == Texts{"kill 0@7"});
}

TEST_CASE("without a moment it is injected at the start") {
  FaultEngine e = engine({"memory=1G@rank=all"});
  e.step(GenerationBegan{0}, at(seconds(0)));
  CHECK(texts(e.step(WorkerStarted{1}, at(seconds(0)))) == Texts{"memory 1"});
  CHECK(texts(e.step(WorkerStarted{0}, at(seconds(0)))) == Texts{"memory 0"});
}

TEST_CASE("a line that matches, and a phase, trigger the fault each time they come") {
  FaultEngine e = engine(
      {"signal=USR1@line='loss (nan|inf)',rank=1,times=2", "kill@phase=allreduce,step=3,rank=0"});
  CHECK(e.wants_lines());
  start(e, 0, 4, at(seconds(0)));
  CHECK(texts(e.step(WorkerLine{1, "loss 2.5"}, at(seconds(1)))).empty());
  CHECK(texts(e.step(WorkerLine{0, "loss nan"}, at(seconds(1)))).empty());
  CHECK(texts(e.step(WorkerLine{1, "step 4: loss nan"}, at(seconds(1)))) == Texts{"signal 1"});
  CHECK(texts(e.step(WorkerLine{1, "loss inf"}, at(seconds(1)))) == Texts{"signal 1"});
  CHECK(texts(e.step(WorkerLine{1, "loss inf"}, at(seconds(1)))).empty());

  CHECK(texts(e.step(WorkerPhase{0, "allreduce"}, at(seconds(1)))).empty());
  CHECK(texts(e.step(WorkerStep{0, 3}, at(seconds(1)))).empty());  // the phase is news, not state
  CHECK(texts(e.step(WorkerPhase{0, "forward"}, at(seconds(1)))).empty());
  CHECK(texts(e.step(WorkerPhase{0, "allreduce"}, at(seconds(1)))) == Texts{"kill 0@3"});
  CHECK_FALSE(engine({"kill@step=1"}).wants_lines());
}

TEST_CASE("gen= limits a fault to that attempt") {
  FaultEngine e = engine({"kill@step=1,rank=0,gen=1,times=9"});
  for (int generation = 0; generation < 3; ++generation) {
    start(e, generation, 4, at(seconds(generation)));
    CHECK(texts(e.step(WorkerStep{0, 1}, at(seconds(generation)))).size() ==
          (generation == 1 ? 1u : 0u));
    e.step(TeardownBegan{}, at(seconds(generation)));
  }
}

TEST_CASE("an interval counts the time the group is up, over all attempts") {
  FaultEngine e = engine({"signal=USR1@every=10s,rank=0"});
  start(e, 0, 4, at(seconds(0)));
  CHECK(e.next_deadline() == at(seconds(10)));
  CHECK(texts(e.step(Tick{}, at(seconds(10)))) == Texts{"signal 0"});
  e.step(TeardownBegan{}, at(seconds(14)));
  CHECK_FALSE(e.next_deadline());
  start(e, 1, 4, at(seconds(100)));
  CHECK(e.next_deadline() == at(seconds(106)));  // 14 s are up already
  CHECK(texts(e.step(Tick{}, at(seconds(106)))) == Texts{"signal 0"});
  // Three were missed while the launcher slept: one injection makes up for them.
  CHECK(texts(e.step(Tick{}, at(seconds(140)))) == Texts{"signal 0"});
  CHECK(e.next_deadline() == at(seconds(146)));
}

TEST_CASE("starting: failures, delays, hidden devices and taken ports") {
  FaultEngine e = engine({"spawn-fail=ENOMEM@rank=2", "spawn-delay=1s@rank=1,gen=1",
                          "hide-device@rank=all,gen=0", "port-taken@times=2"});
  for (int generation = 0; generation < 3; ++generation) {
    CHECK(texts(e.step(GenerationBegan{generation}, at(seconds(0)))) ==
          (generation < 2 ? Texts{"port-taken -"} : Texts{}));
    Texts all;
    for (int rank = 0; rank < 4; ++rank) {
      for (auto& one : texts(e.step(WorkerDue{rank}, at(seconds(0))))) all.push_back(one);
    }
    const Texts hidden{"hide-device 0", "hide-device 1", "spawn-fail 2", "hide-device 2",
                       "hide-device 3"};
    CHECK(all == (generation == 0 ? hidden : generation == 1 ? Texts{"spawn-delay 1"} : Texts{}));
  }
}

TEST_CASE("a fault of the launcher is triggered when any worker reaches the moment") {
  FaultEngine e = engine({"kill-supervisor@step=3"});
  start(e, 0, 4, at(seconds(0)));
  CHECK(texts(e.step(WorkerStep{2, 3}, at(seconds(1)))).size() == 1);
  CHECK(texts(e.step(WorkerStep{1, 3}, at(seconds(1)))).empty());
}

TEST_CASE("no fault is injected into an exited worker or a group that is being torn down") {
  FaultEngine e = engine({"kill@step=1,rank=0", "kill@step=1,rank=1"});
  start(e, 0, 4, at(seconds(0)));
  e.step(WorkerExited{0}, at(seconds(1)));
  CHECK(texts(e.step(WorkerStep{0, 1}, at(seconds(1)))).empty());
  e.step(TeardownBegan{}, at(seconds(1)));
  CHECK(texts(e.step(WorkerStep{1, 1}, at(seconds(1)))).empty());
}

TEST_CASE("a stop for a time is undone when it is over") {
  FaultEngine e = engine({"stop@step=1,rank=1,for=5s", "stop@step=1,rank=2"});
  start(e, 0, 4, at(seconds(0)));
  e.step(WorkerStep{1, 1}, at(seconds(1)));
  e.step(WorkerStep{2, 1}, at(seconds(1)));
  CHECK(e.next_deadline() == at(seconds(6)));
  CHECK(e.step(Tick{}, at(milliseconds(5999))).empty());
  const auto undo_at = of<UndoFault>(e.step(Tick{}, at(seconds(6))));
  REQUIRE(undo_at.size() == 1);
  CHECK(undo_at[0].kind == Kind::stop);
  CHECK(undo_at[0].local_rank == 1);
  CHECK_FALSE(e.next_deadline());
}

TEST_CASE("two stops add up: the rank is held until both are over") {
  FaultEngine e = engine({"stop@step=1,rank=1,for=5s", "stop@step=1,rank=1,for=2s"});
  start(e, 0, 4, at(seconds(0)));
  e.step(WorkerStep{1, 1}, at(seconds(1)));
  auto undo_at = of<UndoFault>(e.step(Tick{}, at(seconds(3))));
  REQUIRE(undo_at.size() == 1);
  CHECK(undo_at[0].fault == 1);
  CHECK(undo_at[0].still_held);
  undo_at = of<UndoFault>(e.step(Tick{}, at(seconds(6))));
  REQUIRE(undo_at.size() == 1);
  CHECK(undo_at[0].fault == 0);
  CHECK_FALSE(undo_at[0].still_held);

  FaultEngine lasting = engine({"stop@step=1,rank=1", "stop@step=1,rank=1,for=2s"});
  start(lasting, 0, 4, at(seconds(0)));
  lasting.step(WorkerStep{1, 1}, at(seconds(1)));
  undo_at = of<UndoFault>(lasting.step(Tick{}, at(seconds(3))));
  REQUIRE(undo_at.size() == 1);
  CHECK(undo_at[0].still_held);
}

TEST_CASE("of two limits of one kind the later takes the place of the earlier") {
  FaultEngine e = engine({"open-files=9@step=1,rank=1,for=5s", "open-files=8@step=2,rank=1,for=9s",
                          "stop@every=1steps,rank=2,for=5s"});
  start(e, 0, 4, at(seconds(0)));
  e.step(WorkerStep{1, 1}, at(seconds(1)));
  e.step(WorkerStep{1, 2}, at(seconds(2)));
  CHECK(e.next_deadline() == at(seconds(11)));
  // As does a stop that comes again.
  for (int step = 1; step < 9; ++step) e.step(WorkerStep{2, step}, at(seconds(2)));
  CHECK(of<UndoFault>(e.step(Tick{}, at(seconds(7)))).size() == 1);
}

TEST_CASE("slow stops and continues in proportion") {
  FaultEngine e = engine({"slow=0.2@rank=0,for=10s"});
  e.step(GenerationBegan{0}, at(seconds(0)));
  TimePoint now = at(seconds(0));
  TimePoint since = now;
  bool running = true;
  Nanoseconds ran{}, stood{};
  bool undone = false;
  auto actions = e.step(WorkerStarted{0}, now);
  while (true) {
    for (const auto& tick : of<ThrottleTick>(actions)) {
      CHECK(tick.run != running);
      (running ? ran : stood) += now - since;
      since = now;
      running = tick.run;
    }
    undone |= !of<UndoFault>(actions).empty();
    if (!e.next_deadline()) break;
    now = *e.next_deadline();
    actions = e.step(Tick{}, now);
  }
  CHECK(undone);
  CHECK(running);
  CHECK(now == at(seconds(10)));
  const double share =
      static_cast<double>(ran.count()) / static_cast<double>((ran + stood).count());
  CHECK(share > 0.19);
  CHECK(share < 0.21);
}

TEST_CASE("teardown lets output flow and stops slowing") {
  FaultEngine e = engine({"slow=0.5@rank=0", "block-output@rank=1"});
  start(e, 0, 4, at(seconds(0)));
  const auto actions = e.step(TeardownBegan{}, at(seconds(1)));
  REQUIRE(of<UndoFault>(actions).size() == 1);
  CHECK(of<UndoFault>(actions)[0].kind == Kind::block_output);
  CHECK_FALSE(e.next_deadline());
  CHECK(e.step(Tick{}, at(seconds(2))).empty());
}

TEST_CASE("workers get the faults that need their help, and report what they did") {
  FaultEngine e =
      engine({"kill@step=9,rank=0", "exit=3@step=7,rank=1", "nan@rank=any,every=5steps"}, 4, 42);
  start(e, 0, 4, at(seconds(0)));
  CHECK(e.worker_faults(0) == "2/0:nan@rank=any,every=5steps,seed=42");
  CHECK(e.worker_faults(1) ==
        "1/0:exit=3@rank=1,step=7,seed=42;2/0:nan@rank=any,every=5steps,seed=42");
  CHECK(texts(e.step(WorkerInjects{0, {1, 0, 7}}, at(seconds(1)))).empty());  // not rank 0's
  CHECK(texts(e.step(WorkerInjects{1, {0, 0, 7}}, at(seconds(1)))).empty());  // not a worker's
  CHECK(texts(e.step(WorkerInjects{1, {9, 0, 7}}, at(seconds(1)))).empty());
  const auto actions = e.step(WorkerInjects{1, {1, 0, 7}}, at(seconds(1)));
  CHECK(texts(actions) == Texts{"exit 1@7"});
  CHECK(texts(e.step(WorkerInjects{1, {1, 0, 7}}, at(seconds(1)))).empty());
  CHECK(ddp::fault::format(of<Injection>(actions)[0].replay) == "exit=3@rank=1,step=7,gen=0");
  e.step(TeardownBegan{}, at(seconds(1)));
  start(e, 1, 4, at(seconds(2)));
  CHECK(e.worker_faults(1) == "2/0:nan@rank=any,every=5steps,seed=42");
}

namespace {

// A data-parallel group in lockstep: each step ends when every rank has reported it, in an order
// that differs from run to run, as do the times. A kill ends the generation; the next resumes from
// the last checkpoint.
struct Simulation {
  std::vector<std::string> injections;  // in order, with generation and step
  std::vector<Spec> replay;
  int generations = 0;
};

Simulation simulate(const std::vector<Spec>& faults, std::uint64_t seed, std::uint64_t chaos,
                    int nproc, std::int64_t steps, std::int64_t checkpoint_every) {
  FaultEngine e(faults, seed, {.nproc = nproc});
  std::mt19937_64 random(chaos);
  Simulation result;
  TimePoint now = at(seconds(1));
  const auto later = [&] { return now += Nanoseconds(random() % 1'000'000'000); };
  std::vector<int> order(static_cast<std::size_t>(nproc));
  for (int rank = 0; rank < nproc; ++rank) order[static_cast<std::size_t>(rank)] = rank;
  std::int64_t checkpoint = 0;
  for (int generation = 0; generation < 100; ++generation) {
    result.generations = generation + 1;
    start(e, generation, nproc, later());
    bool dead = false;
    for (std::int64_t step = checkpoint + 1; step <= steps && !dead; ++step) {
      std::shuffle(order.begin(), order.end(), random);
      for (const int rank : order) {
        for (const auto& injection : of<Injection>(e.step(WorkerStep{rank, step}, later()))) {
          result.injections.push_back(std::to_string(generation) + ": " +
                                      texts({FaultAction(injection)})[0]);
          result.replay.push_back(injection.replay);
          dead |= injection.kind == Kind::kill;
        }
        if (dead) break;
      }
      if (!dead && step % checkpoint_every == 0) checkpoint = step;
    }
    e.step(TeardownBegan{}, later());
    if (!dead) break;
  }
  return result;
}

}  // namespace

TEST_CASE("the same plan and seed inject at the same steps, whatever the order of events") {
  const auto plan = specs({"kill@mtbf=15steps,times=30", "signal=USR1@every=7steps,rank=2",
                           "kill@step=20-60,rank=any,seed=5"});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto one = simulate(plan, seed, 1000 + seed, 4, 300, 10);
    const auto other = simulate(plan, seed, 9000 + seed, 4, 300, 10);
    CHECK(one.injections.size() > 20);
    // Where two ranks get a fault at one step, which of them reports it first is the machine's
    // choice, and the other may come to it only in the next generation.
    const auto steps_of = [](std::vector<std::string> all) {
      for (auto& injection : all) injection.erase(0, injection.find(' ') + 1);
      std::sort(all.begin(), all.end());
      return all;
    };
    CHECK(steps_of(one.injections) == steps_of(other.injections));
    CHECK(one.generations == other.generations);
    CHECK(simulate(plan, seed + 100, 1000, 4, 300, 10).injections != one.injections);
  }
}

TEST_CASE("what a run did can be replayed, without its seed") {
  const auto plan = specs({"kill@mtbf=15steps,times=30", "stop@every=9steps,rank=1,for=1ms"});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto original = simulate(plan, seed, seed, 4, 300, 10);
    const auto again = simulate(original.replay, 0, seed, 4, 300, 10);
    CHECK(again.injections == original.injections);
    CHECK(again.generations == original.generations);
  }
}

TEST_CASE(
    "random events: no fault goes to a rank that is not alive, and no occurrence comes twice") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto dice = [&](int sides) {
      return static_cast<int>(random() % static_cast<unsigned>(sides));
    };
    const int nproc = 1 + dice(4);
    FaultEngine e(
        specs({"kill@step=3-9,times=3", "stop@every=5steps,rank=all,for=300ms",
               "slow=0.5@mtbf=2s,for=1s", "signal=USR1@line=x,times=4", "pin=0@after=1s,rank=0",
               "kill@phase=p,step=4,rank=any,times=2", "block-output@ready=500ms,rank=all,gen=1-2",
               "delay=1ms@mtbf=3steps", "spawn-fail@gen=1", "port-taken"},
              nproc),
        seed, {.nproc = nproc});
    std::vector<bool> alive(static_cast<std::size_t>(nproc), false);
    std::vector<bool> paused(static_cast<std::size_t>(nproc), false);
    std::set<std::string> seen;
    TimePoint now = at(seconds(1));
    bool down = true;
    int generation = -1;
    std::int64_t step = 0;
    const auto check = [&](const FaultActions& actions) {
      for (const auto& action : actions) {
        if (const auto* injection = std::get_if<Injection>(&action)) {
          const auto side = ddp::fault::info(injection->kind).side;
          if (side == ddp::fault::Side::outside) {
            REQUIRE(injection->local_rank);
            REQUIRE(alive[static_cast<std::size_t>(*injection->local_rank)]);
            REQUIRE_FALSE(down);
          }
          const bool own = injection->kind == Kind::stop || injection->kind == Kind::block_output;
          const std::string id = std::to_string(injection->fault) + "." +
                                 std::to_string(injection->occurrence) +
                                 (own ? "/" + std::to_string(*injection->local_rank) : "");
          REQUIRE(seen.insert(id).second);
          REQUIRE(ddp::fault::parse(ddp::fault::format(injection->replay)));
        } else if (const auto* tick = std::get_if<ThrottleTick>(&action)) {
          const auto rank = static_cast<std::size_t>(tick->local_rank);
          REQUIRE(alive[rank]);
          REQUIRE_FALSE(down);
          paused[rank] = !tick->run;
        } else if (const auto* undo = std::get_if<UndoFault>(&action)) {
          REQUIRE(alive[static_cast<std::size_t>(undo->local_rank)]);
        }
      }
    };
    for (int i = 0; i < 300; ++i) {
      now += milliseconds(dice(200));
      const int rank = dice(nproc);
      const auto index = static_cast<std::size_t>(rank);
      if (generation < 0 || (down && dice(3) == 0)) {
        down = false;
        std::fill(alive.begin(), alive.end(), false);
        check(e.step(GenerationBegan{++generation}, now));
        for (int one = 0; one < nproc; ++one) {
          check(e.step(WorkerDue{one}, now));
          alive[static_cast<std::size_t>(one)] = true;
          check(e.step(WorkerStarted{one}, now));
        }
        continue;
      }
      switch (dice(8)) {
        case 0:
          check(e.step(WorkerReady{rank}, now));
          break;
        case 1:
        case 2:
          check(e.step(WorkerStep{rank, step += dice(2)}, now));
          break;
        case 3:
          check(e.step(WorkerPhase{rank, dice(2) == 0 ? "p" : "q"}, now));
          break;
        case 4:
          check(e.step(WorkerLine{rank, dice(2) == 0 ? "axb" : "b"}, now));
          break;
        case 5:
          if (dice(4) == 0 && alive[index]) {
            alive[index] = false;
            check(e.step(WorkerExited{rank}, now));
          }
          break;
        case 6:
          if (dice(4) == 0 && !down) {
            // Output is let flow while the workers still are there.
            const auto actions = e.step(TeardownBegan{}, now);
            check(actions);
            down = true;
          }
          break;
        default:
          if (const auto next = e.next_deadline()) now = std::max(now, *next);
          check(e.step(Tick{}, now));
          // A deadline that has been served is not asked for again.
          if (e.next_deadline()) REQUIRE(*e.next_deadline() > now);
      }
    }
  }
}
