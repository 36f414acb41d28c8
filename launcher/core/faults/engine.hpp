// Room: launcher/core/faults. When which fault of a plan is injected, what lasts, and which
// failures follow from it.
// Includes: common/faults, launcher/core. Included by: launcher/cli, launcher/core/record,
// launcher/faults.
//
// Decides which fault is injected into which worker and when: step(event, now) -> actions, and
// nothing else.
//
// The same plan and seed give the same faults at the same steps whatever the machine does
// meanwhile: all that is drawn comes from common/faults/schedule.hpp. An occurrence is injected
// once in a run, not once an attempt. A fault whose moment is a state that lasts (a step reached, a
// time passed) is injected at most once an attempt; one that waits for a line or a phase, each time
// it comes; one with every or mtbf, at its own steps or after so much time of the group being up.
//
// Nothing is injected into a worker of a group that is being torn down.
#pragma once

#include "common/faults/line_pattern.hpp"
#include "common/faults/schedule.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/fault_action.hpp"
#include "launcher/core/faults/lasting_faults.hpp"
#include "launcher/core/ranks.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

class FaultEngine {
 public:
  // Specs must have been parsed against the world size of `ranks`.
  FaultEngine(std::vector<fault::Spec> faults, std::uint64_t seed, RankGroup ranks);

  // Adds a fault to the plan. False: none of its ranks is on this machine.
  bool add(fault::Spec spec);

  FaultActions step(const Event& event, TimePoint now);
  FaultActions step(const TeardownBegan& teardown, TimePoint now);
  // Whether the event is one that may trigger a fault, or that has to be known.
  static bool concerns(const Event& event);
  // When Tick is wanted.
  std::optional<TimePoint> next_deadline() const;

  // DDP_FAULTS of a worker about to be started.
  std::string worker_faults(LocalRank local_rank) const;
  // Whether a fault waits for a line of output.
  bool wants_lines() const { return !patterns_.empty(); }

 private:
  struct Slot {
    int fault = 0;
    int rank = fault::Schedule::kAny;  // global
    fault::Schedule schedule;
    fault::Progress progress;
    bool injected_this_generation = false;
  };
  struct Worker {
    bool alive = false;
    bool gone = false;  // exited in this generation
    TimePoint started;
    std::optional<TimePoint> ready;
    std::optional<std::int64_t> step;
    std::string phase;
  };
  // What has just happened, for faults that wait for it to happen.
  struct News {
    std::optional<LocalRank> local_rank;
    bool stepped = false;
    bool phase = false;
    std::optional<std::string_view> line;
  };

  void apply(const GenerationBegan& began, TimePoint now, FaultActions& actions);
  void apply(const WorkerDue& due, TimePoint now, FaultActions& actions);
  void apply(const WorkerStarted& started, TimePoint now, FaultActions& actions);
  void apply(const WorkerReady& ready, TimePoint now, FaultActions& actions);
  void apply(const WorkerStep& stepped, TimePoint now, FaultActions& actions);
  void apply(const WorkerPhase& entered, TimePoint now, FaultActions& actions);
  void apply(const WorkerLine& line, TimePoint now, FaultActions& actions);
  void apply(const WorkerInjects& injects, TimePoint now, FaultActions& actions);
  void apply(const WorkerExited& exited, TimePoint now, FaultActions& actions);
  void apply(const Tick& tick, TimePoint now, FaultActions& actions);

  const fault::Spec& spec(const Slot& slot) const;
  Worker& worker(LocalRank local_rank);
  void consider_running(const News& news, TimePoint now, FaultActions& actions);
  void consider_moment(Slot& slot, LocalRank local_rank, const News& news, TimePoint now,
                       FaultActions& actions);
  void consider_uptime(Slot& slot, TimePoint now, FaultActions& actions);
  void inject(Slot& slot, std::int64_t occurrence, std::optional<LocalRank> local_rank,
              TimePoint now, FaultActions& actions);
  // The moment at which the time conditions of the spec hold; none: a READY=1 is missing.
  std::optional<TimePoint> time_of(const fault::Spec& spec, const Worker& worker) const;
  bool armed(const Slot& slot) const;
  bool may_inject(const Slot& slot, LocalRank local_rank) const;
  Nanoseconds uptime(TimePoint now) const;
  std::optional<LocalRank> local(int rank) const;

  std::uint64_t seed_;
  std::vector<fault::Spec> specs_;
  RankGroup ranks_;
  std::vector<Slot> slots_;
  std::vector<std::optional<LinePattern>> patterns_;  // by fault; empty: no fault waits for a line
  std::vector<Worker> workers_;
  LastingFaults lasting_;
  Generation generation_ = 0;
  bool tearing_down_ = true;  // until a generation begins
  Nanoseconds uptime_before_{};
  std::optional<TimePoint> up_since_;
};

}  // namespace ddp::core
