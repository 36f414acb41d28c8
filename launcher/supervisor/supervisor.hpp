// Room: launcher/supervisor. Joins the rooms in one event loop.
// Includes: common, launcher/base, launcher/cli, launcher/control, launcher/core,
// launcher/core/group, launcher/events, launcher/faults, launcher/hangs, launcher/keeper,
// launcher/metrics, launcher/os, launcher/output, launcher/peers, launcher/preflight,
// launcher/preload, launcher/rendezvous, launcher/report, launcher/status, launcher/workers.
// Included by: launcher.
//
// Joins the rooms: one stream of events in, the group's actions out. Touches no process and no
// clock itself; tests run it with fake workers and a fake clock.
//
// Each event is published once, to the observers in this order:
//   exceptions      what ended a rank, before the record and the report are made from it
//   progress        how far the group is, before anything is said of its end
//   recorder        the record first: reports are made from it
//   diagnosis       what the failure means in words, for the record and the report
//   reporter        then the report: a line is written before what it announces is done
//   waits           then what only waits
//   observers of the caller's (shared memory)
//   controller      debuggers that a user asked for leave before the group is examined
//   faults          a fault is injected before anything else follows from the event that triggered
//                   it; the pid of an exited worker is forgotten before the group acts
//   hangs
//   group           last: its actions follow from the event, and may publish the next one
// An observer may publish in turn; that event has reached every observer before this one is passed
// on. The group alone takes events one after another: what an action publishes waits until the
// actions before it are done.
//
// Each action is carried out and then published, in the same order: a signal to the survivors of a
// failure is sent before a line about it is written.
#pragma once

#include "common/notify_message.hpp"
#include "launcher/cli/options.hpp"
#include "launcher/control/controller.hpp"
#include "launcher/core/group/group.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/faults/controller.hpp"
#include "launcher/hangs/monitor.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/preflight/check_runner.hpp"
#include "launcher/preflight/device_wait.hpp"
#include "launcher/report/diagnosis_finder.hpp"
#include "launcher/report/exception_finder.hpp"
#include "launcher/report/progress_recorder.hpp"
#include "launcher/report/recorder.hpp"
#include "launcher/report/reporter.hpp"
#include "launcher/report/wait_reporter.hpp"
#include "launcher/supervisor/worker_starter.hpp"
#include "launcher/workers/ras_address.hpp"
#include "launcher/workers/workers.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ddp {

class Supervisor {
 public:
  // All borrowed.
  struct Deps {
    os::Loop& loop;
    const Options& options;
    out::Router& router;
    Workers& workers;
    std::string run_dir;  // where the run's files are kept
    std::string private_dir;
    std::vector<core::Observer*> observers;
    std::function<void()> discard_queued;  // notifications of the attempt before
    std::function<void()> clear;           // what the launch has outside its processes
    std::function<void()> stop = nullptr;  // as SIGTERM does
    AskRas ask_ras = nullptr;              // none: NCCL's RAS is not asked when a group hangs
  };
  explicit Supervisor(Deps deps);

  // Why the system refused what a launch needs, an errno; 0: it did not.
  int refused() const { return starter_.refused(); }
  Reporter& reporter() { return reporter_; }
  control::Controller& controller() { return controller_; }
  const core::Progress& progress() const { return progress_.progress(); }
  const core::RunRecord& record() const { return recorder_.record(); }
  std::optional<core::Goodput> goodput() const { return progress_.goodput(); }

  // Once, and before anything else that is published.
  void start() { publish(core::StartRequested{}); }
  void publish(const core::Event& event);
  // A message of a worker, as the events that it holds.
  void notified(core::LocalRank local_rank, const NotifyMessage& message);
  // Ctrl-Z. Returns once `fg` has continued this process.
  void suspend();

  // Once the run is over.
  std::optional<int> exit_code() const { return exit_code_; }

 private:
  core::Publish publisher();
  void step(const core::Event& event);
  void arm();

  void carry_out(const core::RunChecks& run) { checks_.run(run); }
  void carry_out(const core::AwaitDevices& await) { device_wait_.run(await); }
  void carry_out(const core::EndDeviceWait&) { device_wait_.give_up(); }
  void carry_out(const core::EndChecks&);
  void carry_out(const core::BeginGeneration& begin);
  void carry_out(const core::SpawnWorker& spawn);
  void carry_out(const core::SignalWorker& signal);
  void carry_out(const core::SignalRest& rest);
  void carry_out(const core::AwaitDescendants& await);
  void carry_out(const core::EndGeneration& end);
  void carry_out(const core::TeardownBegan& teardown);
  void finish();

  Deps deps_;
  core::Group group_;
  RasAddress ras_;
  EventLog events_;
  ErrorFiles error_files_;
  ExceptionFinder exceptions_;
  ProgressRecorder progress_;
  DiagnosisFinder diagnosis_;
  Recorder recorder_;
  Reporter reporter_;
  WaitReporter waits_;
  FaultController faults_;
  HangMonitor hangs_;
  WorkerStarter starter_;
  control::Controller controller_;
  CheckRunner checks_;
  DeviceWait device_wait_;
  std::vector<core::Observer*> observers_;
  std::deque<core::Event> queue_;  // of the group
  bool stepping_ = false;
  std::unique_ptr<os::Timer> deadline_timer_;
  std::optional<core::TimePoint> armed_;
  std::optional<int> exit_code_;
};

}  // namespace ddp
