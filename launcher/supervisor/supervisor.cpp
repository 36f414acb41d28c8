#include "launcher/supervisor/supervisor.hpp"

#include "launcher/base/log.hpp"
#include "launcher/core/group/exit_code.hpp"
#include "launcher/faults/controller.hpp"
#include "launcher/hangs/monitor.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/mechanism.hpp"
#include "launcher/os/notify_socket.hpp"
#include "launcher/os/oom.hpp"
#include "launcher/os/run_dir.hpp"
#include "launcher/os/signal_inbox.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/output/colour.hpp"
#include "launcher/output/router.hpp"
#include "launcher/report/reporter.hpp"
#include "launcher/report/run_result.hpp"
#include "launcher/supervisor/worker_starter.hpp"
#include "launcher/workers/shared_memory_tracker.hpp"
#include "launcher/workers/worker_set.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <deque>
#include <optional>

namespace ddp {
namespace {

using Clock = std::chrono::steady_clock;

// After the last process of a generation has gone its output is at hand in the pipes; only a
// console that nobody reads makes this wait.
std::chrono::milliseconds drain_wait() {
  return os::is_off(os::Mechanism::draining) ? std::chrono::milliseconds(500)
                                             : std::chrono::seconds(5);
}
// A teardown that is over sooner needs no explanation.
constexpr auto kTellWaitingAfter = std::chrono::seconds(1);

out::RouterConfig router_config(const Options& options, const std::string& log_dir) {
  out::RouterConfig config;
  config.style = options.output.style;
  config.line_start = options.output.line_start;
  config.run_id = options.rendezvous.run_id;
  config.colour_out = out::wants_colour(STDOUT_FILENO);
  config.colour_err = out::wants_colour(STDERR_FILENO);
  config.nproc = options.ranks.nproc;
  config.first_rank = options.ranks.first_rank().value;
  config.world_size = options.ranks.world_size();
  config.redirect = options.output.redirect;
  config.tee = options.output.tee;
  config.shown = options.output.shown;
  config.stdin_rank = options.workers.stdin_rank;
  config.pty = options.output.pty;
  config.log_dir = log_dir;
  return config;
}

class Supervisor {
 public:
  Supervisor(const Options& options, const os::Place& place, const os::LogDir& log_dir,
             os::ScopedFd from_keeper, os::ScopedFd signals)
      : options_(options),
        place_(place),
        log_dir_(log_dir),
        group_(options.group),
        deadline_timer_(io_),
        waiting_timer_(io_),
        router_(io_, router_config(options, log_dir_.path), STDOUT_FILENO, STDERR_FILENO,
                [this](const std::string& loss) { reporter_.lost(loss); }),
        reporter_(launch_facts(options), router_),
        memory_(options.ranks.nproc, options.workers.clean_shm),
        workers_(io_,
                 {.nproc = options.ranks.nproc,
                  .cgroup = place.cgroup ? &*place.cgroup : nullptr,
                  .notify_prefix = notify_prefix(place.run_dir),
                  .stop_scope = options.workers.stop_scope,
                  .before_kill = [this](const auto& processes) { memory_.look(processes); }},
                 [this](core::LocalRank rank, core::ExitStatus status) { exited(rank, status); }),
        faults_(io_, {options.ranks, options.faults, options.output}, reporter_.events(), router_,
                workers_),
        hangs_({.io = io_,
                .ranks = options.ranks,
                .options = options.hangs,
                .router = router_,
                .workers = workers_,
                .reporter = reporter_,
                .run_dir = run_dir(),
                .keeps_files = !options.output.log_dir.empty(),
                .feed = [this](const core::Event& event) { feed(event); }}),
        signals_(io_, std::move(from_keeper), std::move(signals),
                 {.stop = [this](int signal) { feed(core::StopRequested{signal}); },
                  .alone = [this] { reporter_.keeper_gone(); },
                  .forward = [this](int signal) { workers_.forward(signal); },
                  .child = [this] { workers_.child_changed(); },
                  .suspend = [this] { suspend(); }}),
        starter_({.io = io_,
                  .spec = worker_spec(options),
                  .router = router_,
                  .workers = workers_,
                  .faults = faults_,
                  .run_dir = run_dir(),
                  .private_dir = place.run_dir}) {}

  ~Supervisor() { log::redirect(nullptr); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  int run() {
    // Said at once: where descriptors are few the router may have none for stderr.
    if (!starter_.usable() || !os::become_subreaper()) {
      error(std::string("the system refused what a launch needs: ") + std::strerror(errno));
      return core::kSystemRefused;
    }
    // Through the router, which keeps them out of the workers' lines and never waits.
    log::redirect([this](std::string_view line) { router_.notice(line); });
    if (const int refused = set_up(); refused != 0) return refused;
    hangs_.run_began();
    feed(core::StartRequested{});
    while (!exit_code_) io_.run_one();
    return *exit_code_;
  }

 private:
  // Everything a launch needs once; an exit code if the system refuses.
  int set_up() {
    reporter_.record_in(log_dir_.path);
    if (!log_dir_.failure.empty()) {
      reporter_.lost(log_dir_.failure + "; no logs are kept");
    } else if (!log_dir_.taken.empty()) {
      router_.notice("ddp-launch: " + log_dir_.taken + " exists: this run's files are in " +
                     log_dir_.path);
    }
    for (int rank = 0; rank < options_.ranks.nproc; ++rank) {
      auto socket = os::NotifySocket::open(
          io_, starter_.notify_path(rank),
          [this, rank](const NotifyMessage& message) { notified(rank, message); });
      if (!socket) {
        error(socket.error());
        return core::kSystemRefused;
      }
      notify_.push_back(std::move(*socket));
    }
    reporter_.run_started();
    return 0;
  }

  // --- events in, actions out

  void feed(const core::Event& event) {
    queue_.push_back(event);
    if (feeding_) return;  // an action brought news: after the actions before it
    feeding_ = true;
    while (!queue_.empty()) {
      const core::Event next = std::move(queue_.front());
      queue_.pop_front();
      for (const auto& action : group_.step(next, Clock::now()))
        std::visit([this](const auto& one) { carry_out(one); }, action);
    }
    feeding_ = false;
    arm_deadline();
  }

  void arm_deadline() {
    const auto deadline = group_.next_deadline();
    if (deadline == armed_) return;
    armed_ = deadline;
    deadline_timer_.cancel();
    if (!deadline) return;
    deadline_timer_.expires_at(*deadline);
    deadline_timer_.async_wait([this](boost::system::error_code ec) {
      if (ec) return;
      armed_.reset();
      feed(core::Tick{});
    });
  }

  void carry_out(const core::BeginGeneration& begin) {
    reporter_.generation_began(begin.generation);
    hangs_.generation_began(begin.generation);
    if (begin.generation > 0) {
      for (const auto& socket : notify_) socket->discard_queued();
    }
    oom_before_ = os::oom_kills();
    memory_.generation_began();
    starter_.generation_began();
    faults_.generation_began(begin.generation, starter_.port());
  }

  void carry_out(const core::SpawnWorker& spawn) {
    starter_.start(spawn, [this, rank = spawn.local_rank,
                           gen = spawn.generation](const WorkerStarter::Outcome& outcome) {
      // Through the loop, so that a signal is heard between any two workers.
      boost::asio::post(io_, [this, outcome, rank, gen] { started(rank, gen, outcome); });
    });
  }

  void started(core::LocalRank rank, core::Generation generation,
               const WorkerStarter::Outcome& outcome) {
    if (const auto* pid = std::get_if<int>(&outcome)) {
      reporter_.worker_started(generation, rank, *pid);
      hangs_.worker_started(rank);
      feed(core::WorkerStarted{rank, *pid});
      faults_.started(rank, *pid);
    } else {
      const auto& failed = std::get<core::SpawnError>(outcome);
      reporter_.spawn_failed(generation, rank, failed);
      feed(core::SpawnFailed{rank, failed});
    }
  }

  void carry_out(const core::SignalWorker& signal) {
    const auto [rank, number] = signal;
    if (number == SIGKILL) {
      // Its first process alone: EndGeneration follows, looks at the rest, and kills and names it.
      look_at_memory(rank);
      workers_.signal_process(rank, number);
    } else if (number == SIGCONT) {
      workers_.signal(rank, number);
    } else {
      workers_.stop(rank, number);
    }
  }

  void carry_out(const core::SignalRest& rest) { workers_.stop_rest(rest.signal); }

  void carry_out(const core::AwaitDescendants& await) {
    waiting_timer_.expires_after(kTellWaitingAfter);
    waiting_timer_.async_wait([this](boost::system::error_code ec) {
      const auto kill_at = group_.kill_at();
      if (ec || group_.phase() != core::Phase::lingering || !kill_at) return;
      reporter_.still_lingering(workers_.left_running(), *kill_at - Clock::now());
    });
    workers_.await_descendants([this, await] {
      waiting_timer_.cancel();
      feed(core::DescendantsGone{await.generation});
    });
  }

  void carry_out(const core::TakeEvidence& take) { hangs_.take_evidence(take); }

  void carry_out(const core::EndGeneration& end) {
    const auto give_up_at = Clock::now() + os::final_wait();
    waiting_timer_.expires_after(kTellWaitingAfter);
    waiting_timer_.async_wait([this, give_up_at](boost::system::error_code ec) {
      if (!ec) reporter_.still_dying(workers_.remaining(), give_up_at - Clock::now());
    });
    workers_.end(
        give_up_at, end.at_once,
        [this, end](std::vector<core::Survivor> survivors, std::vector<core::Leftover> killed) {
          waiting_timer_.cancel();
          reporter_.processes_gone(end.generation, survivors.size(), killed);
          if (survivors.empty())
            shared_memory_ = memory_.generation_ended(group_.verdict(), !killed.empty());
          core::GenerationEnded ended{std::move(survivors), std::move(killed)};
          router_.end_generation(Clock::now() + drain_wait(), [this, ended = std::move(ended)] {
            starter_.generation_ended();
            feed(ended);
          });
        });
  }

  void carry_out(const core::GroupRunning& running) {
    reporter_.group_running(running.generation, starter_.port());
  }

  void carry_out(const core::TeardownBegan& teardown) {
    starter_.cancel();
    workers_.stop_began(teardown.signal);
    faults_.teardown_began();
    reporter_.teardown_began(group_.generation(), teardown);
    hangs_.teardown_began(teardown);
    if (teardown.waiting_for.empty()) return;
    waiting_timer_.expires_after(kTellWaitingAfter);
    waiting_timer_.async_wait([this](boost::system::error_code ec) {
      const auto kill_at = group_.kill_at();  // a Ctrl-Z has moved it
      if (ec || group_.phase() != core::Phase::tearing_down || !kill_at) return;
      std::vector<core::LocalRank> waiting_for;
      for (const auto& worker : group_.verdict().workers) {
        if (worker.pid > 0 && !worker.status) waiting_for.push_back(worker.local_rank);
      }
      reporter_.still_waiting(*group_.verdict().cause, waiting_for, *kill_at - Clock::now(),
                              group_.stop_signal() == SIGINT);
    });
  }

  void carry_out(const core::TeardownEscalated& escalated) {
    waiting_timer_.cancel();
    reporter_.teardown_escalated(group_.generation(), escalated);
  }

  void carry_out(const core::RestartGivenUp& given_up) { reporter_.restart_given_up(given_up); }

  void carry_out(const core::GenerationOver& over) {
    faults_.generation_over(over.verdict);
    reporter_.generation_over(over, faults_.behind_last_failure(), faults_.record().ended_alike(),
                              std::exchange(shared_memory_, {}));
  }

  void carry_out(const core::Finish& finish) {
    faults_.finished(finish.exit_code, place_.run_dir);
    const auto result = evaluate(launch_facts(options_), options_.faults.plan, faults_.record(),
                                 reporter_.events(), Clock::now() - began_);
    if (!result.text.empty()) router_.notice(result.text);
    reporter_.run_finished(result.exit_code);
    // The keeper removes both too; but should it have died, nobody else does.
    if (place_.cgroup) place_.cgroup->remove();
    os::remove_run_dir(place_.run_dir);
    // The verdict may still be on its way to a slow console.
    router_.end_generation(Clock::now() + drain_wait(),
                           [this, result] { exit_code_ = result.exit_code; });
  }

  // --- the system's news

  void exited(core::LocalRank rank, core::ExitStatus status) {
    bool oom_killed = false;
    if (const auto* signaled = std::get_if<core::Signaled>(&status); signaled != nullptr) {
      const auto oom_now = signaled->signal == SIGKILL ? os::oom_kills() : oom_before_;
      oom_killed = oom_now && oom_before_ && *oom_now > *oom_before_;
    }
    faults_.exited(rank);
    reporter_.worker_exited(group_.generation(), rank, status, oom_killed);
    hangs_.worker_exited(rank);
    feed(core::WorkerExited{rank, status, oom_killed});
  }

  void notified(core::LocalRank rank, const NotifyMessage& message) {
    hangs_.notified(rank, message);
    if (message.ready || message.step)
      memory_.notified(rank, workers_.living_pid(rank), Clock::now());
    if (message.ready) feed(core::WorkerReady{rank});
    if (message.step) feed(core::WorkerStep{rank, *message.step});
    faults_.notified(rank, message);
  }

  // Ctrl-Z: the workers stop, then this process; back when `fg` has continued it.
  void suspend() {
    const auto began = Clock::now();
    workers_.signal_all(SIGSTOP);
    ::kill(::getpid(), SIGSTOP);
    for (int rank = 0; rank < options_.ranks.nproc; ++rank) {
      if (!faults_.keeps_stopped(rank)) workers_.signal(rank, SIGCONT);
    }
    const auto duration = Clock::now() - began;
    hangs_.suspended(duration);
    feed(core::Suspended{duration});
  }

  void look_at_memory(core::LocalRank rank) {
    if (const int pid = workers_.living_pid(rank); pid > 0) memory_.look(rank, pid);
  }

  // --- names and words

  const std::string& run_dir() const {
    return log_dir_.path.empty() ? place_.run_dir : log_dir_.path;
  }
  void error(const std::string& text) { log::write(log::Level::error, text); }

  const Options& options_;
  const os::Place& place_;
  const os::LogDir& log_dir_;
  const Clock::time_point began_ = Clock::now();
  boost::asio::io_context io_{1};
  core::Group group_;
  std::deque<core::Event> queue_;
  bool feeding_ = false;
  boost::asio::steady_timer deadline_timer_;
  std::optional<core::TimePoint> armed_;
  boost::asio::steady_timer waiting_timer_;
  out::Router router_;
  Reporter reporter_;
  SharedMemoryTracker memory_;
  std::vector<ReportedSegment> shared_memory_;  // of the generation that has just ended
  WorkerSet workers_;
  FaultController faults_;
  HangMonitor hangs_;
  os::SignalInbox signals_;
  WorkerStarter starter_;
  std::vector<std::unique_ptr<os::NotifySocket>> notify_;
  std::optional<std::uint64_t> oom_before_;
  std::optional<int> exit_code_;
};

}  // namespace

int supervise(const Options& options, const os::Place& place, const os::LogDir& log_dir,
              os::ScopedFd from_keeper, os::ScopedFd signals) {
  return Supervisor(options, place, log_dir, std::move(from_keeper), std::move(signals)).run();
}

}  // namespace ddp
