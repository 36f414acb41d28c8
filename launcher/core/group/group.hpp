// Room: launcher/core/group. The worker group as a state machine; when it restarts, and which
// processes get the stop signal.
// Includes: launcher/core. Included by: launcher/cli, launcher/control, launcher/faults,
// launcher/keeper, launcher/os, launcher/preflight, launcher/report, launcher/supervisor,
// launcher/workers.
//
// The worker group as a state machine: step(event, now) -> actions, and nothing else. Its phases
// and the changes between them are the table in launcher/core/group/transitions.hpp; enter() makes
// each change and asserts that the table has it.
//
// A hang stays the root cause, whatever ends its examination. The stop signal goes to every worker
// at once, and all share one deadline: SIGKILL at the end of the grace period. Processes that the
// workers left running have what remains of it, or after success a linger period. Halfway through
// either period a signal goes to every process that has had none (SignalRest).
//
// Invariants, which tests check on random event sequences: never two attempts at the same time; one
// terminal event per started worker; no signal to a worker that was never started or has exited;
// Finish once, last.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/event.hpp"
#include "launcher/core/group/restart_policy.hpp"
#include "launcher/core/group/transitions.hpp"
#include "launcher/core/types.hpp"
#include "launcher/core/verdict.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ddp::core {

struct GroupConfig {
  int nproc = 1;
  Nanoseconds shutdown_timeout = std::chrono::seconds(30);
  Nanoseconds linger_timeout = std::chrono::seconds(5);  // after success; 0: none
  // How long others may run on after a worker exited 0 before that is a failure; none: no limit.
  std::optional<Nanoseconds> early_exit_allowed;
  // The signal that stops a worker; none: SIGINT after a SIGINT, else SIGTERM.
  std::optional<int> stop_signal;
  std::optional<int> graceful_exit_code;                    // StoppedBySignal's
  Nanoseconds evidence_timeout = std::chrono::seconds(10);  // for the diagnostics of a hang
  RestartPolicy restart;
  std::optional<Nanoseconds> check_timeout;  // of all ranks' checks at once; none: no checks
  int check_retries = 3;                     // of a check that asks for it
  Nanoseconds check_delay = std::chrono::seconds(5);  // before each
  // How long devices may take to release the last attempt's memory; 0: they are not waited for.
  Nanoseconds device_release_timeout{};
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
  // Whether a request for a restart is granted: the group is up, or waits for its restart.
  bool may_restart() const { return is_up() || phase_ == Phase::backing_off; }
  // The current attempt so far.
  const Verdict& verdict() const { return verdict_; }
  int restarts() const { return history_.restarts(); }
  // Of the first stop request of the launch.
  std::optional<int> stop_signal() const { return stop_signal_; }

 private:
  void on(const StartRequested&, TimePoint now, Actions& actions);
  void on(const CheckEnded& event, TimePoint, Actions& actions);
  void on(const ChecksGone& event, TimePoint now, Actions& actions);
  void on(const DevicesReleased& event, TimePoint now, Actions& actions);
  void on(const WorkerStarted& event, TimePoint now, Actions& actions);
  void on(const SpawnFailed& event, TimePoint now, Actions& actions);
  void on(const WorkerReady& event, TimePoint now, Actions&);
  void on(const WorkerStep& event, TimePoint, Actions&);
  void on(const WorkerExited& event, TimePoint now, Actions& actions);
  void on(const HangDetected& event, TimePoint now, Actions& actions);
  void on(const ProcessesSeen& event, TimePoint, Actions&);
  void on(const EvidenceTaken& event, TimePoint now, Actions& actions);
  void on(const DescendantsGone& event, TimePoint, Actions& actions);
  void on(const PeerDisagrees& event, TimePoint now, Actions& actions);
  void on(const SignalRequested& event, TimePoint, Actions&);
  void on(const RestartRequested& event, TimePoint now, Actions& actions);
  void on(const StopRequested& event, TimePoint now, Actions& actions);
  void on(const Suspended& event, TimePoint, Actions&);
  void on(const GenerationEnded& event, TimePoint now, Actions& actions);
  void on(const Tick&, TimePoint now, Actions& actions);
  // The rest of the stream is for other observers.
  template <class Other>
  void on(const Other&, TimePoint, Actions&) {}

  void enter(Phase next);
  bool is_up() const;  // launching or running
  void begin_generation(Generation generation, TimePoint now, Actions& actions);
  void launch(TimePoint now, Actions& actions);
  void begin_checks(TimePoint now, Actions& actions);
  void run_checks(std::vector<LocalRank> ranks, TimePoint now, Actions& actions);
  void end_checks(Actions& actions);
  void checks_due(TimePoint now, Actions& actions);
  void spawn_next(TimePoint now, Actions& actions);
  void exited_early(LocalRank local_rank, TimePoint now, Actions& actions);
  void stop_examining(TimePoint now, Actions& actions);
  void deadline_passed(TimePoint now, Actions& actions);
  RestartDecision decide(TimePoint now);
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
  int stop_signal_sent_ = 0;  // to the workers
  struct Request {
    int signal = 0;
    TimePoint at;
  };
  std::optional<int> stop_signal_;
  std::optional<Request> last_request_;
  bool out_of_time_ = false;                 // the whole run's time is up
  std::optional<std::string> disagreement_;  // between the machines, whatever the attempt
  std::optional<LocalRank> early_;           // the first that exited 0 while others ran on
  // While the group is checking.
  struct Checks {
    bool devices = false;  // AwaitDevices is not answered; the checks follow
    std::set<LocalRank> running;
    std::vector<LocalRank> again;  // asked for a retry
    std::vector<LocalRank> refused;
    bool late = false;    // `refused` took too long
    bool ending = false;  // EndChecks is not answered
    int retries = 0;
  } checks_;
  std::optional<TimePoint> signal_rest_at_;
  std::optional<TimePoint> deadline_;
};

}  // namespace ddp::core
