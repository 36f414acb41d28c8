// Room: launcher/core/hangs. Whether a group hangs, which rank is the root cause, and who is a
// straggler.
// Includes: launcher/core. Included by: launcher/hangs, launcher/os, launcher/report.
//
// Decides when a group hangs, from what its ranks report and when: which limit is exceeded, and by
// which rank. A limit of zero is off.
//
//   ready      from the start of the attempt until every rank that has not exited sent READY=1
//   heartbeat  from a rank's READY=1 or first WATCHDOG=1 to its next WATCHDOG=1, and so on
//   progress   from a rank's step to its next one: the slowest rank that reports steps counts, and
//              ranks that report none are not waited for. While no live rank has reported one, from
//              the last READY=1 (or start, of a rank that sends none) or exit of a rank to the
//              first step of any.
//   output     from a rank's start or last byte of output to the next
//   run        of the whole launch, its restarts and the delays between them included
//
// After one Hang only `run` is watched until the next attempt. Output is looked up when its limit
// may be exceeded, not reported with each line. Time during which everything was stopped (Ctrl-Z)
// does not count.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/hang.hpp"
#include "launcher/core/types.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

struct HangLimits {
  Nanoseconds ready{};
  Nanoseconds heartbeat{};
  Nanoseconds progress{};
  Nanoseconds output{};
  Nanoseconds run{};
  bool any() const;
};

class HangWatch {
 public:
  // When a rank of the current attempt last wrote something, if it did.
  using LastOutput = std::function<std::optional<TimePoint>(LocalRank)>;
  HangWatch(HangLimits limits, int nproc, LastOutput last_output);

  void apply(const StartRequested& start, TimePoint now);
  void apply(const GenerationBegan& began, TimePoint now);
  void apply(const WorkerStarted& started, TimePoint now);
  void apply(const WorkerReady& ready, TimePoint now);
  void apply(const WorkerHeartbeat& heartbeat, TimePoint now);
  void apply(const WorkerStep& event, TimePoint now);
  void apply(const WorkerPhase& event, TimePoint now);
  void apply(const WorkerExited& exited, TimePoint now);
  void apply(const TeardownBegan& teardown, TimePoint now);
  void apply(const Suspended& suspended, TimePoint now);

  // When check() is wanted. A rank's events only postpone it, so that a timer may be left as it is:
  // a limit that an event at `now` starts is never due before now + shortest().
  std::optional<TimePoint> next_deadline() const;
  Nanoseconds shortest() const { return shortest_; }
  // A hang, if a limit is exceeded: the first one.
  std::optional<Hang> check(TimePoint now);

 private:
  struct Rank {
    std::optional<TimePoint> started;
    std::optional<TimePoint> ready;
    std::optional<TimePoint> heartbeat;  // the last, or READY=1
    std::optional<TimePoint> progressed;
    std::optional<TimePoint> output;  // the last one known; its start at first
    std::optional<std::int64_t> step;
    std::string phase;
    std::optional<TimePoint> ended;
  };
  struct Due {
    TimePoint at;
    HangKind kind;
  };

  template <class Member>
  std::optional<TimePoint> earliest(Member member) const;
  std::optional<TimePoint> progress_since() const;
  std::optional<Due> next() const;
  void check_output();
  Nanoseconds limit_of(HangKind kind) const;
  Hang describe(HangKind kind, TimePoint now) const;
  bool behind(const Rank& rank, HangKind kind, TimePoint now) const;
  Rank& rank(LocalRank local_rank);

  HangLimits limits_;
  Nanoseconds shortest_{};
  LastOutput last_output_;
  std::vector<Rank> ranks_;
  bool watching_ = false;
  TimePoint generation_began_;
  std::optional<TimePoint> run_began_;  // none: reported already
};

}  // namespace ddp::core
