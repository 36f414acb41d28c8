#include "launcher/hangs/monitor.hpp"

#include "common/env_names.hpp"
#include "launcher/core/hangs/hang_watch.hpp"
#include "launcher/hangs/debugger_command.hpp"
#include "launcher/hangs/diagnostics.hpp"
#include "launcher/os/devices.hpp"
#include "launcher/os/proc.hpp"

#include <fmt/core.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdlib>
#include <optional>
#include <utility>

namespace ddp {
namespace {

using Clock = std::chrono::steady_clock;

// A launcher that was itself stopped or starved finds its timer due and news that waits to be read:
// the news is heard first.
constexpr auto kHearFirst = std::chrono::milliseconds(20);

// Whatever the command wrote: so much of it is looked through.
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
constexpr std::size_t kStackLines = 20;

}  // namespace

class HangMonitor::Impl {
 public:
  explicit Impl(Deps deps)
      : around_(std::move(deps)),
        watch_(around_.options.limits, around_.ranks.nproc,
               [this](core::LocalRank rank) { return around_.router.last_output(rank); }),
        stragglers_(around_.options.straggler, around_.ranks.nproc),
        timer_(around_.io) {}

  core::HangWatch& watch() { return watch_; }

  void worker_exited(core::LocalRank rank) {
    watch_.exited(rank, Clock::now());
    stragglers_.exited(rank);
    arm();
  }

  void generation_began(core::Generation generation) {
    generation_ = generation;
    watch_.generation_began(Clock::now());
    stragglers_.generation_began();
    arm();
  }

  void notified(core::LocalRank rank, const NotifyMessage& message) {
    const auto now = Clock::now();
    if (message.phase) watch_.phase(rank, *message.phase);
    if (message.ready) watch_.ready(rank, now);
    if (message.watchdog) watch_.heartbeat(rank, now);
    if (message.step) watch_.step(rank, *message.step, now);
    if (message.step && around_.options.straggler.factor > 0) compare(rank, message, now);
    // What this adds is due later than what the timer waits for: no look at every rank for it.
    if (around_.options.limits.any() && (!armed_ || *armed_ > now + watch_.shortest())) arm();
  }

  void arm() {
    const auto deadline = watch_.next_deadline();
    if (deadline == armed_) return;
    armed_ = deadline;
    timer_.cancel();
    if (deadline) wait(*deadline, /*heard=*/false);
  }

  void take_evidence(const core::TakeEvidence& take) {
    HangEvidencePlan plan;
    plan.command = around_.options.on_hang;
    plan.signal = around_.options.hang_signal;
    plan.cpus = os::count_cpus();
    plan.deadline = take.deadline;
    for (const char* name : {env::kNcclFlightPipe, env::kFlightPipe}) {
      if (const char* const stem = std::getenv(name); stem != nullptr && *stem != '\0')
        plan.flight_recorders.emplace_back(stem);
    }
    for (const auto& rank : take.hang.ranks) {
      HangSubject subject;
      subject.local_rank = rank.local_rank;
      subject.rank = around_.ranks.global(rank.local_rank).value;
      subject.pid = around_.workers.living_pid(rank.local_rank);
      subject.dir = dir(take.generation, std::to_string(rank.local_rank));
      subject.behind = rank.behind;
      plan.subjects.push_back(std::move(subject));
    }
    HangEvidence::Handlers handlers;
    handlers.seen = [this, take](std::vector<core::ProcessPicture> pictures) {
      core::Hang hang = take.hang;
      for (std::size_t i = 0; i < pictures.size(); ++i) hang.ranks[i].process = pictures[i];
      around_.reporter.ranks_seen(take.generation, hang);
      around_.feed(core::ProcessesSeen{take.generation, std::move(pictures)});
      return core::blame(hang);
    };
    handlers.kept = [this, take](const HangSubject& subject, const std::string& what,
                                 const std::string& file, const std::string& outcome) {
      around_.reporter.hang_evidence(take.generation, subject.local_rank, what, file, outcome);
    };
    handlers.done = [this, take] { around_.feed(core::EvidenceTaken{take.generation}); };
    evidence_.emplace(around_.io, around_.workers, std::move(plan), std::move(handlers));
  }

  void teardown_began(const core::TeardownBegan& teardown) {
    if (evidence_) tell_evidence(core::root_cause_rank(teardown.cause));
    evidence_.reset();
    watch_.generation_over();
    arm();
  }

 private:
  void compare(core::LocalRank rank, const NotifyMessage& message, core::TimePoint now) {
    std::optional<double> busy;
    for (const auto& [name, value] : message.metrics) {
      if (name == kBusySeconds) busy = value;
    }
    for (const auto& straggler : stragglers_.stepped(rank, *message.step, busy, now))
      around_.reporter.straggler(generation_, straggler);
  }

  std::string dir(core::Generation generation, const std::string& rank) const {
    return fmt::format("{}/attempt_{}/{}/hang", around_.run_dir, generation, rank);
  }

  void tell_evidence(std::optional<core::LocalRank> blamed) {
    std::vector<std::string> stack;
    if (blamed) {
      const auto output =
          os::read_file(dir(generation_, std::to_string(*blamed)) + "/on-hang.log", kStackBytes);
      stack = first_stack(output.value_or(""), kStackLines);
    }
    const bool taken = around_.options.evidence_timeout.count() > 0;
    around_.reporter.hang_evidence_taken(
        std::move(stack),
        !taken ? ""
        : around_.keeps_files
            ? "what each rank was found doing is in " + dir(generation_, "*")
            : "start it with --log-dir DIR to keep what each rank was found doing");
  }

  void wait(Clock::time_point until, bool heard) {
    timer_.expires_at(until);
    timer_.async_wait([this, heard](boost::system::error_code ec) {
      if (ec) return;
      const auto now = Clock::now();
      if (const auto due = watch_.next_deadline(); !heard && due && *due <= now) {
        wait(now + kHearFirst, /*heard=*/true);
        return;
      }
      armed_.reset();
      if (const auto hang = watch_.check(now)) {
        around_.reporter.hang_detected(generation_, *hang);
        around_.feed(core::HangDetected{*hang});
      }
      arm();
    });
  }

  Deps around_;
  core::HangWatch watch_;
  core::StragglerWatch stragglers_;
  boost::asio::steady_timer timer_;
  std::optional<core::TimePoint> armed_;
  core::Generation generation_ = 0;
  std::optional<HangEvidence> evidence_;
};

HangMonitor::HangMonitor(Deps deps) {
  if (deps.options.limits.any() || deps.options.straggler.factor > 0)
    impl_ = std::make_unique<Impl>(std::move(deps));
}
HangMonitor::~HangMonitor() = default;

void HangMonitor::run_began() {
  if (!impl_) return;
  impl_->watch().run_began(Clock::now());
  impl_->arm();
}
void HangMonitor::generation_began(core::Generation generation) {
  if (impl_) impl_->generation_began(generation);
}
void HangMonitor::worker_started(core::LocalRank rank) {
  if (!impl_) return;
  impl_->watch().started(rank, Clock::now());
  impl_->arm();
}
void HangMonitor::notified(core::LocalRank rank, const NotifyMessage& message) {
  if (impl_) impl_->notified(rank, message);
}
void HangMonitor::worker_exited(core::LocalRank rank) {
  if (impl_) impl_->worker_exited(rank);
}
void HangMonitor::suspended(core::Nanoseconds duration) {
  if (!impl_) return;
  impl_->watch().suspended(duration);
  impl_->arm();
}
void HangMonitor::take_evidence(const core::TakeEvidence& take) {
  if (impl_) impl_->take_evidence(take);
}
void HangMonitor::teardown_began(const core::TeardownBegan& teardown) {
  if (impl_) impl_->teardown_began(teardown);
}

}  // namespace ddp
