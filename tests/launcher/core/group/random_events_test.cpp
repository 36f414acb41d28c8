// Thousands of random event sequences, checked against the invariants of a group and the table of
// its transitions.
#include "launcher/core/group/group.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace {

using namespace ddp::core;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Lines = std::vector<std::string>;
using Taken = std::set<std::pair<Phase, Phase>>;

TimePoint at(milliseconds ms) { return TimePoint(Nanoseconds(ms)); }

// Each phase begins with an action that nothing else asks for; checks alone may run again.
std::optional<Phase> phase_entered_by(const Action& action) {
  if (std::holds_alternative<RunChecks>(action)) return Phase::checking;
  if (std::holds_alternative<AwaitDevices>(action)) return Phase::checking;
  if (std::holds_alternative<BeginGeneration>(action)) return Phase::launching;
  if (std::holds_alternative<GroupRunning>(action)) return Phase::running;
  if (std::holds_alternative<TakeEvidence>(action)) return Phase::examining;
  if (std::holds_alternative<TeardownBegan>(action)) return Phase::tearing_down;
  if (std::holds_alternative<AwaitDescendants>(action)) return Phase::lingering;
  if (std::holds_alternative<EndGeneration>(action)) return Phase::closing;
  if (std::holds_alternative<Finish>(action)) return Phase::finished;
  if (const auto* over = std::get_if<GenerationOver>(&action); over && over->decision) {
    const auto* restart = std::get_if<RestartIn>(&*over->decision);
    if (restart != nullptr && restart->delay > Nanoseconds::zero()) return Phase::backing_off;
  }
  return std::nullopt;
}

Lines disagreements(const Taken& taken, std::span<const Transition> table) {
  const auto text = [](Phase from, Phase to) {
    return name_of(from) + std::string(" -> ") + name_of(to);
  };
  Lines lines;
  for (const auto& [from, to] : taken) {
    if (std::none_of(table.begin(), table.end(), [&, from = from, to = to](const Transition& row) {
          return row.from == from && row.to == to;
        }))
      lines.push_back(text(from, to) + ": not in the table");
  }
  for (const auto& [from, to, why] : table) {
    if (!taken.contains({from, to}))
      lines.push_back(text(from, to) + ": in the table, never taken");
  }
  return lines;
}

}  // namespace

// A supervisor that answers as the system would, in random order and with random events in between.
TEST_CASE("random event sequences keep the invariants and take every transition of the table") {
  Taken taken;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto dice = [&](int sides) {
      return static_cast<int>(random() % static_cast<unsigned>(sides));
    };
    GroupConfig config{.nproc = 1 + dice(5), .shutdown_timeout = seconds(dice(3))};
    if (dice(2) == 0) config.early_exit_allowed = seconds(dice(3));
    config.linger_timeout = seconds(dice(3));
    config.restart.max_restarts = dice(4);
    if (dice(2) == 0) config.check_timeout = seconds(1 + dice(3));
    config.check_retries = dice(3);
    config.check_delay = seconds(dice(2));
    config.device_release_timeout = seconds(dice(2));
    Group group(config);
    Phase phase = group.phase();

    TimePoint now = at(seconds(1));
    std::map<int, bool> alive;  // rank -> started and not ended
    std::vector<SpawnWorker> spawning;
    std::vector<int> checking;  // ranks
    bool devices = false;       // are waited for
    bool late = false;          // the wait for them is over
    bool clearing = false;      // what the checks left
    bool ending = false;
    bool awaiting = false;
    bool examining = false;
    int generation = -1;
    int requested = 0;  // restarts
    int finishes = 0;
    int next_pid = 100;

    const auto carry_out = [&](const Actions& actions) {
      for (const auto& action : actions) {
        REQUIRE(finishes == 0);  // Finish is the last action there is
        if (const auto next = phase_entered_by(action); next && *next != phase)
          taken.insert({std::exchange(phase, *next), *next});
        examining |= std::holds_alternative<TakeEvidence>(action);
        if (const auto* run = std::get_if<RunChecks>(&action)) {
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
          REQUIRE(run->generation == generation + 1);
          REQUIRE_FALSE(ending);
          REQUIRE_FALSE(clearing);
          REQUIRE(checking.empty());
          REQUIRE_FALSE(devices);
          REQUIRE_FALSE(run->ranks.empty());
          checking = run->ranks;
        } else if (const auto* await = std::get_if<AwaitDevices>(&action)) {
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
          REQUIRE(await->generation == generation + 1);
          REQUIRE(await->generation > 0);
          REQUIRE_FALSE(ending);
          REQUIRE_FALSE(std::exchange(devices, true));
        } else if (std::holds_alternative<EndDeviceWait>(action)) {
          REQUIRE(devices);
          late = true;
        } else if (std::holds_alternative<EndChecks>(action)) {
          REQUIRE_FALSE(std::exchange(clearing, true));
          checking.clear();
          devices = false;
        } else if (const auto* begin = std::get_if<BeginGeneration>(&action)) {
          REQUIRE_FALSE(clearing);
          REQUIRE_FALSE(devices);
          REQUIRE(checking.empty());
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
          REQUIRE_FALSE(ending);
          REQUIRE(spawning.empty());
          REQUIRE(begin->generation == ++generation);
          REQUIRE(generation <= config.restart.max_restarts + requested);
          alive.clear();
        } else if (const auto* spawn = std::get_if<SpawnWorker>(&action)) {
          REQUIRE(spawn->generation == generation);
          REQUIRE(alive.count(spawn->local_rank) == 0);
          spawning.push_back(*spawn);
          REQUIRE(spawning.size() == 1);
        } else if (const auto* signal = std::get_if<SignalWorker>(&action)) {
          REQUIRE(alive[signal->local_rank]);
        } else if (std::holds_alternative<AwaitDescendants>(action)) {
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
          REQUIRE_FALSE(std::exchange(awaiting, true));
        } else if (std::holds_alternative<EndGeneration>(action)) {
          awaiting = false;
          REQUIRE_FALSE(ending);
          REQUIRE(spawning.empty());
          ending = true;
        } else if (const auto* over = std::get_if<GenerationOver>(&action)) {
          for (const auto& worker : over->verdict.workers) {
            REQUIRE((worker.pid == 0 || worker.status || !over->verdict.survivors.empty()));
          }
        } else if (std::holds_alternative<Finish>(action)) {
          ++finishes;
          REQUIRE_FALSE(clearing);
          REQUIRE(checking.empty());
          for (const auto& [rank, is_alive] : alive) REQUIRE_FALSE(is_alive);
        }
      }
      REQUIRE(group.phase() == phase);
    };

    if (dice(50) == 0) carry_out(group.step(StopRequested{SIGTERM}, now));
    carry_out(group.step(StartRequested{}, now));
    for (int i = 0; i < 400 && finishes == 0; ++i) {
      now += milliseconds(dice(400));
      std::vector<int> living;
      for (const auto& [rank, is_alive] : alive) {
        if (is_alive) living.push_back(rank);
      }
      const int what = dice(8);
      if (!checking.empty() && what < 5) {
        const int rank = checking.back();
        checking.pop_back();
        constexpr int kCodes[] = {0, 0, 0, 0, 0, 0, 10, 20, 20, 30};
        carry_out(group.step(CheckEnded{generation + 1,
                                        {.local_rank = rank,
                                         .status = Exited{kCodes[dice(10)]},
                                         .not_started = {},
                                         .lines = {}}},
                             now));
      } else if (devices && (late || what < 3)) {
        devices = late = false;
        carry_out(group.step(DevicesReleased{generation + 1, {}}, now));
      } else if (clearing && what < 6) {
        clearing = false;
        std::vector<Survivor> survivors;
        if (dice(40) == 0) survivors.push_back({.pid = 9});
        carry_out(group.step(ChecksGone{std::move(survivors)}, now));
      } else if (!spawning.empty() && what < 4) {
        const auto spawn = spawning.back();
        spawning.pop_back();
        if (dice(20) == 0) {
          carry_out(group.step(SpawnFailed{spawn.local_rank, {SpawnStage::fork, EAGAIN}}, now));
        } else {
          alive[spawn.local_rank] = true;
          carry_out(group.step(WorkerStarted{spawn.local_rank, next_pid++}, now));
        }
      } else if (!living.empty() && what < 6) {
        const int rank = living[static_cast<std::size_t>(dice(static_cast<int>(living.size())))];
        alive[rank] = false;
        const ExitStatus status = dice(3) != 0   ? ExitStatus(Exited{0})
                                  : dice(2) == 0 ? ExitStatus(Exited{1})
                                                 : ExitStatus(Signaled{SIGKILL});
        carry_out(group.step(WorkerExited{rank, status}, now));
      } else if (awaiting && what < 7) {
        awaiting = false;
        carry_out(group.step(DescendantsGone{generation}, now));
      } else if (ending && living.empty()) {
        ending = false;
        carry_out(group.step(GenerationEnded{}, now));
      } else if (examining && what == 7) {
        examining = false;
        carry_out(group.step(EvidenceTaken{generation}, now));
      } else if (what == 7 && dice(20) == 0) {
        const HangKind kind = dice(3) == 0 ? HangKind::run_timeout : HangKind::no_progress;
        carry_out(group.step(HangDetected{{.kind = kind, .limit = seconds(1), .ranks = {}}}, now));
      } else if (what == 5 && dice(15) == 0) {
        const bool may = group.may_restart();
        requested += may;
        const auto actions = group.step(RestartRequested{}, now);
        CHECK(actions.empty() != may);
        carry_out(actions);
      } else if (what == 6 && dice(15) == 0) {
        carry_out(group.step(StopRequested{dice(2) == 0 ? SIGINT : SIGTERM}, now));
      } else {
        if (group.next_deadline() && dice(2) == 0) now = std::max(now, *group.next_deadline());
        carry_out(group.step(Tick{}, now));
      }
    }
    if (finishes == 0) {  // end what is still running, then it must finish
      carry_out(group.step(StopRequested{SIGTERM}, now));
      carry_out(group.step(StopRequested{SIGINT}, now));
      if (std::exchange(clearing, false)) carry_out(group.step(ChecksGone{}, now));
      if (!spawning.empty()) {
        spawning.clear();
        carry_out(group.step(SpawnFailed{0, {SpawnStage::fork, EAGAIN}}, now));
      }
      for (auto& [rank, is_alive] : alive) {
        if (!is_alive) continue;
        is_alive = false;
        carry_out(group.step(WorkerExited{rank, Signaled{SIGKILL}}, now));
      }
      if (std::exchange(awaiting, false)) carry_out(group.step(DescendantsGone{generation}, now));
      if (ending) {
        ending = false;
        carry_out(group.step(GenerationEnded{}, now));
      }
    }
    REQUIRE(finishes == 1);
    CHECK(group.step(StopRequested{SIGTERM}, now).empty());
  }
  CHECK(disagreements(taken, transitions()) == Lines{});

  // Negative control: a row that is missing and a row that is never taken are both reported.
  std::vector<Transition> wrong(transitions().begin() + 1, transitions().end());
  wrong.push_back({Phase::idle, Phase::closing, "never"});
  CHECK(disagreements(taken, wrong) ==
        Lines{"idle -> checking: not in the table", "idle -> closing: in the table, never taken"});
}
