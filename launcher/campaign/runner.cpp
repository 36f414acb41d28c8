#include "launcher/campaign/runner.hpp"

#include "common/env_names.hpp"
#include "launcher/base/log.hpp"
#include "launcher/base/write_file.hpp"
#include "launcher/campaign/report.hpp"
#include "launcher/core/group/exit_code.hpp"
#include "launcher/events/event_log.hpp"
#include "launcher/keeper/keeper.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/exit_watcher.hpp"
#include "launcher/os/run_dir.hpp"
#include "launcher/os/signal_inbox.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/os/spawn.hpp"
#include "launcher/output/console_sink.hpp"
#include "launcher/output/tail_buffer.hpp"
#include "launcher/plan/plan_file.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace ddp::campaign {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kTailLines = 40;
// What a launch may need beyond its grace period: it waits for the processes that SIGKILL does not
// end at once and for a slow reader, each bounded by 5 s.
constexpr auto kBeyondGrace = std::chrono::seconds(20);
constexpr auto kFinalWait = std::chrono::seconds(5);
constexpr auto kConsoleWait = std::chrono::seconds(5);

// After a campaign that was killed, for its run to tear its group down and remove its files.
constexpr auto kPatience = std::chrono::seconds(10);

struct RunnerConfig {
  std::string program;  // the ddp-launch that is started
  std::string dir;      // absolute; each run gets <dir>/<stem>
  bool keep = false;    // the runs' directories
};

// From its beginning to its end.
std::string read_all(const os::ScopedFd& file) {
  std::string text;
  char bytes[16384];
  for (;;) {
    const ssize_t count = ::pread(file.get(), bytes, sizeof bytes, static_cast<off_t>(text.size()));
    if (count == -1 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(bytes, static_cast<std::size_t>(count));
  }
}

class Runner {
 public:
  Runner(const Campaign& campaign, const RunnerConfig& config, os::ScopedFd from_keeper,
         os::ScopedFd signals)
      : campaign_(campaign),
        config_(config),
        timer_(io_),
        console_(
            io_, STDOUT_FILENO, "stdout", [] {},
            [](const std::string& loss) {
              refuse(loss + "; the campaign goes on, its table is no longer shown there");
            }),
        signals_(io_, std::move(from_keeper), std::move(signals),
                 {.stop = [this](int signal) { stop(signal); },
                  .alone = {},
                  .forward = [this](int signal) { signal_run(signal); },
                  .child = [this] { child_changed(); },
                  .suspend = [this] { suspend(); }}),
        dev_null_(::open("/dev/null", O_RDWR | O_CLOEXEC)) {}

  int run() {
    ::prctl(PR_SET_NAME, "ddp-campaign");
    if (!dev_null_.valid() || !os::become_subreaper()) {
      refuse(std::string("the system refused what a campaign needs: ") + std::strerror(errno));
      return core::kSystemRefused;
    }
    next();
    while (!over_) io_.run_one();
    return finish();
  }

 private:
  enum class Phase { idle, running, ending, killed, draining };

  const PlannedRun& planned() const { return campaign_.runs[results_.size()]; }
  std::string dir() const { return run_dir(planned(), config_.dir); }
  std::string output_path() const { return dir() + "/output.log"; }

  void next() {
    if (stop_signal_ != 0 || exit_code_ != 0 || results_.size() == campaign_.runs.size()) {
      over_ = true;
      return;
    }
    end_ = {};
    began_ = Clock::now();
    end_.not_started = plan_changed();
    if (!end_.not_started.empty()) return conclude();
    auto started = start();
    if (auto* child = std::get_if<os::Child>(&started)) {
      phase_ = Phase::running;
      watcher_.emplace(io_, child->pid, std::move(child->pidfd),
                       [this](core::ExitStatus status) { run_ended(status); });
      arm(planned().plan.launch.timeout);
      return;
    }
    end_.not_started = std::get<std::string>(started);
    exit_code_ = core::kSystemRefused;
    complete_ = false;
    conclude();
  }

  // Empty, or how: what was checked and is held against the run is the plan as it was read.
  std::string plan_changed() const {
    const auto& path = planned().path;
    const auto text = read_plan_text(path);
    if (!text) return path + ": " + text.error();
    return *text == planned().text ? "" : path + " is no longer what the campaign read";
  }

  std::variant<os::Child, std::string> start() {
    std::error_code failed;
    const std::string work = work_dir(planned(), config_.dir);
    std::filesystem::create_directories(work, failed);
    if (failed) return work + ": " + failed.message();
    const os::ScopedFd output(
        ::open(output_path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!output.valid()) return output_path() + ": " + std::strerror(errno);
    events_ = os::ScopedFd(::memfd_create("events", MFD_CLOEXEC));
    if (!events_.valid()) return std::string("memory for its events: ") + std::strerror(errno);
    ::setenv(env::kCampaignEvents, campaign_file(events_.get()).c_str(), 1);
    os::SpawnRequest request;
    request.program = config_.program;
    request.arguments = run_arguments(planned(), config_.dir);
    for (char** variable = environ; *variable != nullptr; ++variable)
      request.environment.emplace_back(*variable);
    request.stdin_fd = dev_null_.get();
    request.stdout_fd = output.get();
    request.stderr_fd = output.get();
    auto spawned = os::Spawner().spawn(request);
    if (auto* child = std::get_if<os::Child>(&spawned)) return std::move(*child);
    return config_.program + ": " + std::strerror(std::get<core::SpawnError>(spawned).error_number);
  }

  // --- the run's end, and what leads to it

  void arm(core::Nanoseconds after) {
    deadline_ = Clock::now() + after;
    timer_.expires_at(deadline_);
    timer_.async_wait([this](boost::system::error_code ec) {
      if (!ec) too_late();
    });
  }

  void too_late() {
    switch (phase_) {
      case Phase::running:
        end_.timed_out = true;
        signal_run(SIGTERM);
        phase_ = Phase::ending;
        arm(planned().shutdown_timeout + kBeyondGrace);
        break;
      case Phase::ending:
        signal_run(SIGKILL);
        phase_ = Phase::killed;
        break;
      case Phase::draining:
        sweep();
        break;
      case Phase::idle:
      case Phase::killed:
        break;
    }
  }

  void signal_run(int signal) {
    // Never a pid that was reaped and may be another's by now.
    if (watcher_ && !watcher_->reaped()) ::kill(watcher_->pid(), signal);
  }

  void stop(int signal) {
    if (stop_signal_ == 0) stop_signal_ = signal;
    if (phase_ == Phase::draining) return sweep();
    signal_run(signal);  // a second one makes the run skip its grace period
    if (phase_ != Phase::running) return;
    phase_ = Phase::ending;
    arm(planned().shutdown_timeout + kBeyondGrace);
  }

  void run_ended(core::ExitStatus status) {
    end_.status = status;
    timer_.cancel();
    if (!os::reap_orphans([](int) { return false; })) return conclude();
    // Its keeper was killed, by a fault or by us: then its supervisor, which has come to us, is
    // still at its teardown.
    const bool by_itself = std::holds_alternative<core::Exited>(status);
    if (by_itself || phase_ == Phase::killed) return sweep();
    phase_ = Phase::draining;
    arm(planned().shutdown_timeout + kBeyondGrace);
  }

  void child_changed() {
    if (phase_ != Phase::draining || os::reap_orphans([](int) { return false; })) return;
    timer_.cancel();
    conclude();
  }

  void sweep() {
    timer_.cancel();
    end_.processes_left = static_cast<std::int64_t>(os::living_children().size());
    // Blocks, but a moment: what SIGKILL does not end is given up.
    if (!os::kill_and_reap_all(kFinalWait).empty()) exit_code_ = core::kUnkillable;
    conclude();
  }

  void conclude() {
    phase_ = Phase::idle;
    watcher_.reset();
    const auto& run = planned();
    auto events = read_events(read_all(std::exchange(events_, os::ScopedFd())));
    events.lost = shown(std::move(events.lost));
    complete_ &= !system_refused(run.plan, end_, events);
    PlanResult result{.name = run.plan.name, .duration = Clock::now() - began_};
    result.checks = evaluate(run.plan, end_, events);
    result.failures = std::move(events.failures);
    result.stopped = stop_signal_ != 0;
    if (!result.met()) result.tail = out::tail_of_file(output_path(), kTailLines);
    for (auto& line : result.tail) line = shown(std::move(line));
    if (!config_.keep) os::remove_run_dir(dir());
    results_.push_back(std::move(result));
    say(progress_text(results_.back(), results_.size(), campaign_.runs.size()));
    next();
  }

  // A text of the run's; its directories, unless they are kept, as in a plan and in a dry run.
  std::string shown(std::string text) const {
    if (config_.keep) return text;
    text = replaced(std::move(text), work_dir(planned(), config_.dir), kDirWord);
    return replaced(std::move(text), config_.dir, kSomeDirectory);
  }

  // Ctrl-Z: the run stops itself and its workers, then this process; back when `fg` continued it.
  void suspend() {
    const auto began = Clock::now();
    signal_run(SIGTSTP);
    wait_run_stopped();
    ::kill(::getpid(), SIGSTOP);
    signal_run(SIGCONT);
    if (phase_ != Phase::idle) arm(deadline_ - began);
    began_ += Clock::now() - began;
  }

  // Bounded: it may be ending instead. A SIGCONT before its own stop would be lost on it.
  void wait_run_stopped() const {
    for (int i = 0; i < 100 && watcher_ && !watcher_->reaped(); ++i) {
      siginfo_t info{};
      if (::waitid(P_PID, static_cast<id_t>(watcher_->pid()), &info,
                   WSTOPPED | WEXITED | WNOHANG | WNOWAIT) == -1 ||
          info.si_pid != 0)
        return;
      ::poll(nullptr, 0, 10);
    }
  }

  // --- the campaign's end

  int finish() {
    const bool all_met = std::all_of(results_.begin(), results_.end(),
                                     [](const PlanResult& result) { return result.met(); });
    if (!all_met && stop_signal_ == 0 && !config_.keep)
      say("--log-dir DIR would keep what each run showed and wrote\n");
    say("\n" + summary_table(results_, campaign_.runs.size()));
    int code = stop_signal_ != 0 ? core::kSignalBase + stop_signal_ : exit_code_;
    // Before 73: who knows what else the plans that were not met would have been.
    if (code == 0 && !complete_) code = core::kSystemRefused;
    if (code == 0 && !all_met) code = core::kExpectationFailed;
    if (!campaign_.junit.empty()) {
      const auto failure = write_whole_file(campaign_.junit, junit_xml(junit_suites(results_)));
      if (!failure.empty()) {
        refuse(failure + "; the JUnit file is missing");
        if (code == 0) code = core::kSystemRefused;
      }
    }
    if (config_.keep)
      say(std::string(complete_ ? "everything is kept in " : "what could be kept is in ") +
          config_.dir + "\n");
    if (!config_.keep) os::remove_run_dir(config_.dir);  // the keeper may be dead
    const auto deadline = Clock::now() + kConsoleWait;
    while (!console_.lost() && !console_.buffer().empty()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0 || !console_.write_waiting(left)) break;
    }
    const bool unread = !console_.lost() && !console_.buffer().empty();
    if (unread) refuse("stdout: not read any more; the rest of the campaign's table is dropped");
    // Met, and nobody was told.
    if (code == 0 && (console_.lost() || unread)) code = core::kSystemRefused;
    return code;
  }

  void say(const std::string& text) {
    console_.buffer().append(text);
    console_.flush();
  }
  static void refuse(const std::string& why) { log::write(log::Level::error, why); }

  const Campaign& campaign_;
  const RunnerConfig& config_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_;
  out::ConsoleSink console_;
  os::SignalInbox signals_;
  os::ScopedFd dev_null_;
  std::optional<os::ExitWatcher> watcher_;
  std::vector<PlanResult> results_;
  os::ScopedFd events_;  // what the run tells of itself: EventLog's second file
  RunEnd end_;
  Phase phase_ = Phase::idle;
  Clock::time_point began_;
  Clock::time_point deadline_;
  int stop_signal_ = 0;
  int exit_code_ = 0;     // what ends the campaign: the system's refusal, or what would not die
  bool complete_ = true;  // nothing of what the runs showed and wrote is lost
  bool over_ = false;
};

// Where the runs' directories go; the error is one line.
Result<std::string> make_base(const Campaign& campaign) {
  if (campaign.log_dir.empty()) return os::make_scratch_dir();
  std::error_code failed;
  const auto dir = std::filesystem::absolute(campaign.log_dir, failed) / campaign.run_id;
  if (!failed) std::filesystem::create_directories(dir.parent_path(), failed);
  if (!failed) std::filesystem::create_directory(dir, failed);
  if (failed) return Error{dir.string() + ": " + failed.message()};
  return dir.string();
}

// Ourselves, under the name that `ps` shows.
std::string own_program() {
  std::error_code failed;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed || !std::filesystem::exists(path, failed) ? "/proc/self/exe" : path.string();
}

}  // namespace

int run(const Campaign& campaign) {
  const auto base = make_base(campaign);
  if (!base) {
    log::write(log::Level::error, base.error());
    return core::kSystemRefused;
  }
  const RunnerConfig config{own_program(), *base, !campaign.log_dir.empty()};
  const os::Place place{
      .run_dir = config.keep ? "" : config.dir, .cgroup = {}, .patience = kPatience};
  return os::keep(
             place,
             [&](os::ScopedFd from_keeper, os::ScopedFd signals) {
               return Runner(campaign, config, std::move(from_keeper), std::move(signals)).run();
             })
      .exit_code;
}

}  // namespace ddp::campaign
