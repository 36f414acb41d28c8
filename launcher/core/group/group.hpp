// The worker group as a state machine: step(event, now) -> actions, and nothing else.
//
//   launching -> running -> lingering -> closing -> finished         every worker exited 0
//   launching | running -> tearing_down -> lingering -> closing      a failure, a stop request
//   closing -> backing_off -> launching                              restarts left
//           -> finished                                              none left, or a stop request
//   launching | running -> examining -> tearing_down                 a hang
//   tearing_down | lingering -> closing                              the period is over, a second
//                                                                    stop request
//   backing_off -> finished                                          a stop request, the run's time
//                                                                    is up
//
// examining: the group hangs; its processes are looked at before it is torn down. Ends when that is
// done, at its deadline, when a worker ends, or at a stop request: the hang stays the cause.
// tearing_down: every worker was sent the stop signal; ends when all have exited.
// lingering: the workers have exited, and what they left running may end by itself: for the rest of
// the grace period, or after success for a linger period of its own. Halfway through either
// period a signal goes to every process that has had none (SignalRest).
// closing: the supervisor kills what is left and releases what the generation held
// (EndGeneration). Invariants, held by tests over random event sequences: never two
// generations live; one terminal event per started worker; a worker that was never started or has
// ended is never signalled; Finish once, last.
#pragma once

#include "launcher/core/group/action.hpp"
#include "launcher/core/group/event.hpp"
#include "launcher/core/group/restart_policy.hpp"
#include "launcher/core/group/verdict.hpp"
#include "launcher/core/types.hpp"

#include <optional>
#include <vector>

namespace ddp::core {

enum class Phase {
  idle,
  launching,
  running,
  examining,
  tearing_down,
  lingering,
  closing,
  backing_off,
  finished
};
const char* name_of(Phase phase);

struct GroupConfig {
  int nproc = 1;
  Nanoseconds shutdown_timeout = std::chrono::seconds(30);
  Nanoseconds linger_timeout = std::chrono::seconds(5);  // after success; 0: none
  // How long others may run on after a worker exited 0, before that is a failure; none: for ever.
  std::optional<Nanoseconds> early_exit_allowed;
  // What asks a worker to stop; none: SIGINT after a SIGINT, else SIGTERM.
  std::optional<int> stop_signal;
  std::optional<int> graceful_exit_code;                    // StoppedBySignal's
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
  // While the group is torn down or lingers: when SIGKILL follows.
  std::optional<TimePoint> kill_at() const { return deadline_; }
  // The current generation as far as it has come.
  const Verdict& verdict() const { return verdict_; }
  int restarts() const { return history_.restarts(); }
  // Of the first stop request of the launch.
  std::optional<int> stop_signal() const { return stop_signal_; }

 private:
  void begin_generation(Generation generation, TimePoint now, Actions& actions);
  void spawn_next(TimePoint now, Actions& actions);
  void worker_exited(const WorkerExited& event, TimePoint now, Actions& actions);
  void exited_early(LocalRank local_rank, TimePoint now, Actions& actions);
  void hang_detected(const Hang& hang, TimePoint now, Actions& actions);
  void processes_seen(const ProcessesSeen& event);
  void stop_requested(const StopRequested& event, TimePoint now, Actions& actions);
  void generation_ended(const GenerationEnded& event, TimePoint now, Actions& actions);
  void tick(TimePoint now, Actions& actions);
  void tear_down(Cause cause, TimePoint now, Actions& actions);
  void escalate(std::optional<int> by_request, Actions& actions);
  void linger_if_all_gone(TimePoint now, Actions& actions);
  void signal_rest(Actions& actions);
  void close(Actions& actions, bool at_once = false);
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
  int asked_with_ = 0;  // the signal that asked the workers to stop
  struct Request {
    int signal = 0;
    TimePoint at;
  };
  std::optional<int> stop_signal_;
  std::optional<Request> last_request_;
  bool out_of_time_ = false;        // the whole run's time is up
  std::optional<LocalRank> early_;  // the first that exited 0 while others ran on
  std::optional<TimePoint> signal_rest_at_;
  std::optional<TimePoint> deadline_;
};

}  // namespace ddp::core
