#include "launcher/campaign/runner.hpp"

#include "launcher/base/log.hpp"
#include "launcher/base/replaced.hpp"
#include "launcher/campaign/printer.hpp"
#include "launcher/campaign/report.hpp"
#include "launcher/campaign/run_process.hpp"
#include "launcher/core/exit_code.hpp"
#include "launcher/keeper/keeper.hpp"
#include "launcher/os/descendants.hpp"
#include "launcher/os/run_dir.hpp"
#include "launcher/os/signal_inbox.hpp"
#include "launcher/os/signals.hpp"
#include "launcher/output/tail_buffer.hpp"
#include "launcher/plan/plan_file.hpp"
#include "launcher/report/summary_json.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

namespace ddp::campaign {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kTailLines = 40;
// What a launch may take beyond its grace period: it waits for processes that are alive after
// SIGKILL and for a slow reader, each for at most 5 s.
constexpr auto kBeyondGrace = std::chrono::seconds(20);
constexpr auto kFinalWait = std::chrono::seconds(5);

// If the campaign is killed: time for its run to tear the group down and remove its files.
constexpr auto kPatience = std::chrono::seconds(10);

class Runner {
 public:
  Runner(const Campaign& campaign, const RunnerConfig& config, os::ScopedFd from_keeper,
         os::ScopedFd signals)
      : campaign_(campaign),
        config_(config),
        timer_(io_),
        clock_(io_),
        printer_(io_),
        signals_(io_, std::move(from_keeper), std::move(signals),
                 {.stop = [this](int signal) { stop(signal); },
                  .alone = {},
                  .forward = [this](int signal) { process_.signal(signal); },
                  .child = [this] { child_changed(); },
                  .suspend = [this] { suspend(); }}),
        dev_null_(::open("/dev/null", O_RDWR | O_CLOEXEC)),
        process_(io_, config_, dev_null_.get()) {}

  int run() {
    ::prctl(PR_SET_NAME, "ddp-campaign");
    if (!dev_null_.valid() || !os::become_subreaper()) {
      refuse(std::string("the system refused what a campaign needs: ") + std::strerror(errno));
      return core::kSystemRefused;
    }
    next();
    if (campaign_.status && printer_.status_columns()) show_status();
    while (!over_) io_.run_one();
    return finish();
  }

 private:
  enum class Phase { idle, running, ending, killed, draining };

  const PlannedRun& planned() const { return campaign_.runs[results_.size()]; }
  std::string dir() const { return run_dir(planned(), config_.dir); }

  void next() {
    if (stop_signal_ != 0 || exit_code_ != 0 || results_.size() == campaign_.runs.size()) {
      over_ = true;
      return;
    }
    end_ = {};
    began_ = Clock::now();
    end_.not_started = plan_changed();
    if (!end_.not_started.empty()) return conclude();
    end_.not_started =
        process_.start(planned(), [this](core::ExitStatus status) { run_ended(status); });
    if (end_.not_started.empty()) {
      phase_ = Phase::running;
      return arm(planned().plan.launch.timeout);
    }
    exit_code_ = core::kSystemRefused;
    complete_ = false;
    conclude();
  }

  // The checks hold for the plan as it was read. Empty where it is unchanged, or one line.
  std::string plan_changed() const {
    const auto& path = planned().path;
    const auto text = read_plan_text(path);
    if (!text) return path + ": " + text.error();
    return *text == planned().text ? "" : path + " changed after the campaign read it";
  }

  // --- the end of a run

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
        process_.signal(SIGTERM);
        phase_ = Phase::ending;
        arm(planned().shutdown_timeout + kBeyondGrace);
        break;
      case Phase::ending:
        process_.signal(SIGKILL);
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

  void stop(int signal) {
    if (stop_signal_ == 0) stop_signal_ = signal;
    if (phase_ == Phase::draining) return sweep();
    process_.signal(signal);  // a second one makes the run skip its grace period
    if (phase_ != Phase::running) return;
    phase_ = Phase::ending;
    arm(planned().shutdown_timeout + kBeyondGrace);
  }

  void run_ended(core::ExitStatus status) {
    end_.status = status;
    timer_.cancel();
    if (!os::reap_orphans([](int) { return false; })) return conclude();
    // Its keeper was killed, by a fault or by this process: its supervisor, which this process has
    // adopted, is still tearing the group down.
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
    // Blocks only briefly: a process that is alive after SIGKILL is abandoned.
    if (!os::kill_and_reap_all(kFinalWait).empty()) exit_code_ = core::kUnkillable;
    conclude();
  }

  void conclude() {
    phase_ = Phase::idle;
    const auto& run = planned();
    auto events = read_events(process_.take_events());
    events.lost = shown(std::move(events.lost));
    complete_ &= !system_refused(run.plan, end_, events);
    PlanResult result{.name = run.plan.name, .duration = Clock::now() - began_};
    result.checks = evaluate(run.plan, end_, events);
    result.failures = std::move(events.failures);
    result.stopped = stop_signal_ != 0;
    if (!result.met()) result.tail = out::tail_of_file(output_path(run, config_), kTailLines);
    for (auto& line : result.tail) line = shown(std::move(line));
    if (!config_.keep) os::remove_run_dir(dir());
    results_.push_back(std::move(result));
    printer_.print(progress_text(results_.back(), results_.size(), campaign_.runs.size()));
    next();
  }

  // A text from the run. Directories that will be removed get the names that plans and dry runs
  // use.
  std::string shown(std::string text) const {
    if (config_.keep) return text;
    text = replaced(std::move(text), work_dir(planned(), config_.dir), kDirWord);
    return replaced(std::move(text), config_.dir, kSomeDirectory);
  }

  // On a terminal: now, and each second until the end.
  void show_status() {
    if (over_) return;
    if (const auto columns = printer_.status_columns(); columns && phase_ != Phase::idle)
      printer_.status(status_text(results_, campaign_.runs.size(), planned().plan.name,
                                  Clock::now() - began_, *columns));
    clock_.expires_after(std::chrono::seconds(1));
    clock_.async_wait([this](boost::system::error_code ec) {
      if (!ec) show_status();
    });
  }

  // Ctrl-Z: suspends the run with its workers, then this process. Returns when `fg` continues it.
  void suspend() {
    const auto began = Clock::now();
    printer_.status("");
    process_.signal(SIGTSTP);
    process_.wait_stopped();
    ::kill(::getpid(), SIGSTOP);
    process_.signal(SIGCONT);
    if (phase_ != Phase::idle) arm(deadline_ - began);
    began_ += Clock::now() - began;
  }

  // --- the end of the campaign

  int finish() {
    printer_.status("");
    const bool all_met = std::all_of(results_.begin(), results_.end(),
                                     [](const PlanResult& result) { return result.met(); });
    if (!all_met && stop_signal_ == 0 && !config_.keep)
      printer_.print("use --log-dir DIR to keep the output and logs of each run\n");
    printer_.print("\n" + summary_table(results_, campaign_.runs.size()));
    int code = stop_signal_ != 0 ? core::kSignalBase + stop_signal_ : exit_code_;
    // Takes precedence over 73: a plan may be unmet only because of that.
    if (code == 0 && !complete_) code = core::kSystemRefused;
    if (code == 0 && !all_met) code = core::kExpectationFailed;
    if (!write_junit() && code == 0) code = core::kSystemRefused;
    if (config_.keep)
      printer_.print(
          std::string(complete_ ? "everything is kept in " : "what could be kept is in ") +
          config_.dir + "\n");
    if (campaign_.json_summary) printer_.print(summary_json(summary(code)) + "\n");
    if (!config_.keep) os::remove_run_dir(config_.dir);  // the keeper may be dead
    // Met, but the user cannot see it.
    if (!printer_.finish() && code == 0) code = core::kSystemRefused;
    return code;
  }

  CampaignSummary summary(int code) const {
    CampaignSummary all{.run_id = campaign_.run_id,
                        .plans = campaign_.runs.size(),
                        .runs = {},
                        .duration = Clock::now() - first_began_,
                        .exit_code = code};
    for (const auto& one : results_)
      all.runs.push_back({one.name,
                          one.stopped ? "stopped"
                          : one.met() ? "met"
                                      : "not met",
                          one.duration});
    return all;
  }

  bool write_junit() const {
    if (campaign_.junit.empty()) return true;
    const auto failure = ddp::write_junit(campaign_.junit, junit_suites(results_));
    if (!failure.empty()) refuse(failure);
    return failure.empty();
  }

  static void refuse(const std::string& why) { log::write(log::Level::error, why); }

  const Campaign& campaign_;
  const RunnerConfig& config_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer clock_;  // of the status
  Printer printer_;
  os::SignalInbox signals_;
  os::ScopedFd dev_null_;
  RunProcess process_;
  std::vector<PlanResult> results_;
  RunEnd end_;
  Phase phase_ = Phase::idle;
  const Clock::time_point first_began_ = Clock::now();
  Clock::time_point began_;  // of the present run
  Clock::time_point deadline_;
  int stop_signal_ = 0;
  int exit_code_ =
      0;  // ends the campaign: the system refused something, or a process survived SIGKILL
  bool complete_ = true;  // no output and no events of a run are lost
  bool over_ = false;
};

// Makes the directory for the runs' directories. The error is one line.
Result<std::string> make_base(const Campaign& campaign) {
  if (campaign.log_dir.empty()) return os::make_scratch_dir();
  std::error_code failed;
  const auto dir = std::filesystem::absolute(campaign.log_dir, failed) / campaign.run_id;
  if (!failed) std::filesystem::create_directories(dir.parent_path(), failed);
  if (!failed) std::filesystem::create_directory(dir, failed);
  if (failed) return Error{dir.string() + ": " + failed.message()};
  return dir.string();
}

// The path of this program, so that `ps` shows its name.
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
  const os::LaunchResources resources{
      .run_dir = config.keep ? "" : config.dir, .cgroup = {}, .patience = kPatience};
  return os::keep(
             resources,
             [&](os::ScopedFd from_keeper, os::ScopedFd signals) {
               return Runner(campaign, config, std::move(from_keeper), std::move(signals)).run();
             })
      .exit_code;
}

}  // namespace ddp::campaign
