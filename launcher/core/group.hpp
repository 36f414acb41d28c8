// The worker group as a state machine: step(event, now) -> actions, and nothing else.
//
//   launching -> running -> closing -> finished                    every worker exited 0
//   launching | running -> tearing_down -> closing -> backing_off -> launching    a failure,
//   restarts left
//                                                  -> finished                   none left, or a
//                                                  stop request
//   launching | running -> examining -> tearing_down                 a hang
//   backing_off -> finished                                          a stop request, the run's
//   time is up
//
// examining: the group hangs; what its processes do is looked at before it goes. Ends when that is
// done, at its deadline, when a worker ends, or at a stop request: the hang stays the cause.
// tearing_down: every worker was told to go; ends when all have, SIGKILL after the grace period or
// at a second stop request. closing: the workers are gone and the supervisor clears up what they
// left (EndGeneration). Invariants, held by tests over random event sequences: never two
// generations live; one terminal event per started worker; a worker that was never started or has
// ended is never signalled; Finish once, last.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/restart_policy.hpp"
#include "launcher/core/types.hpp"
#include "launcher/core/verdict.hpp"

#include <optional>
#include <vector>

namespace ddp::core {

enum class Phase {
  idle,
  launching,
  running,
  examining,
  tearing_down,
  closing,
  backing_off,
  finished
};
const char* name_of(Phase phase);

struct GroupConfig {
  int nproc = 1;
  Nanoseconds shutdown_timeout = std::chrono::seconds(30);
  bool early_exit_fails = false;  // a worker that exits 0 while others run is a failure
  Nanoseconds evidence_timeout = std::chrono::seconds(10);  // for looking at a hung group
  RestartPolicy restart;
};

class Group {
 public:
  explicit Group(GroupConfig config);

  Actions step(const Event& event, TimePoint now);

  Phase phase() const { return phase_; }
  Generation generation() const { return verdict_.generation; }
  // When Tick is wanted; none while nothing is due.
  std::optional<TimePoint> next_deadline() const;
  // The current generation as far as it has come.
  const Verdict& verdict() const { return verdict_; }
  int restarts() const { return history_.restarts(); }
  // Of the first stop request of the launch.
  std::optional<int> stop_signal() const { return stop_signal_; }

 private:
  void begin_generation(Generation generation, TimePoint now, Actions& actions);
  void spawn_next(Actions& actions);
  void worker_exited(const WorkerExited& event, TimePoint now, Actions& actions);
  void hang_detected(const Hang& hang, TimePoint now, Actions& actions);
  void processes_seen(const ProcessesSeen& event);
  void stop_requested(const StopRequested& event, TimePoint now, Actions& actions);
  void generation_ended(const GenerationEnded& event, TimePoint now, Actions& actions);
  void tick(TimePoint now, Actions& actions);
  void tear_down(Cause cause, TimePoint now, Actions& actions);
  void escalate(std::optional<int> by_request, Actions& actions);
  void close_if_all_gone(Actions& actions);
  void close(Actions& actions);
  void signal(LocalRank local_rank, int signal, Actions& actions);
  void finish(int exit_code, Actions& actions);
  bool alive(LocalRank local_rank) const;
  std::vector<LocalRank> alive_workers() const;
  WorkerOutcome& worker(LocalRank local_rank);

  GroupConfig config_;
  RestartHistory history_;
  Phase phase_ = Phase::idle;
  Verdict verdict_;
  LocalRank next_to_spawn_ = 0;
  bool spawn_in_flight_ = false;
  bool escalated_ = false;
  std::optional<int> stop_signal_;
  bool out_of_time_ = false;  // the whole run's time is up
  std::optional<TimePoint> deadline_;
};

}  // namespace ddp::core
