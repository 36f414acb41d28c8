// Decides which fault strikes whom and when: step(event, now) -> actions, and nothing else.
//
// The same plan and seed give the same faults at the same steps whatever the machine does
// meanwhile: all that is drawn comes from common/faults/schedule.hpp. An occurrence strikes once in
// a run, not once a generation. A fault whose moment is a state that lasts (a step reached, a time
// passed) strikes at most once a generation; one that waits for a line or a phase, each time it
// comes; one with every or mtbf, at its own steps or after so much time of the group being up.
//
// Nothing strikes a worker of a group that is being torn down.
#pragma once

#include "common/faults/line_pattern.hpp"
#include "common/faults/schedule.hpp"
#include "launcher/core/faults/action.hpp"
#include "launcher/core/faults/lasting_faults.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct FaultScope {
  int world_size = 1;
  int first_rank = 0;  // the global rank of local rank 0: specs name global ranks
  int nproc = 1;
};

class FaultEngine {
 public:
  // Specs must have been parsed against scope.world_size.
  FaultEngine(std::vector<fault::Spec> faults, std::uint64_t seed, FaultScope scope);

  FaultActions step(const FaultEvent& event, TimePoint now);
  // When Tick is wanted.
  std::optional<TimePoint> next_deadline() const;

  // DDP_FAULTS of a worker about to be started.
  std::string worker_faults(LocalRank local_rank) const;
  // Whether anybody waits for a line of output.
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
    bool gone = false;  // ended in this generation
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

  const fault::Spec& spec(const Slot& slot) const;
  void begin(Generation generation, FaultActions& actions);
  void consider_spawn(LocalRank local_rank, FaultActions& actions);
  void consider_running(const News& news, TimePoint now, FaultActions& actions);
  void consider_moment(Slot& slot, LocalRank local_rank, const News& news, TimePoint now,
                       FaultActions& actions);
  void consider_uptime(Slot& slot, TimePoint now, FaultActions& actions);
  void injected(const heard::Injected& event, TimePoint now, FaultActions& actions);
  void inject(Slot& slot, std::int64_t occurrence, std::optional<LocalRank> local_rank,
              TimePoint now, FaultActions& actions);
  // The moment at which the time conditions of the spec hold; none: a READY=1 is missing.
  std::optional<TimePoint> time_of(const fault::Spec& spec, const Worker& worker) const;
  bool armed(const Slot& slot) const;
  bool may_inject(const Slot& slot, LocalRank local_rank) const;
  Nanoseconds uptime(TimePoint now) const;
  std::optional<LocalRank> local(int rank) const;

  std::vector<fault::Spec> specs_;
  FaultScope scope_;
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
