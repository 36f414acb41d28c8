#include "launcher/report/wait_reporter.hpp"

#include "launcher/os/descendants.hpp"

#include <chrono>
#include <csignal>
#include <vector>

namespace ddp {
namespace {

// A wait that is over sooner needs no explanation.
constexpr auto kReportAfter = std::chrono::seconds(1);

}  // namespace

void WaitReporter::apply(const core::TeardownBegan& teardown, core::TimePoint now) {
  if (!teardown.waiting_for.empty()) timer_->at(now + kReportAfter, [this] { report_waiting(); });
}

void WaitReporter::apply(const core::AwaitDescendants&, core::TimePoint now) {
  timer_->at(now + kReportAfter, [this] { report_lingering(); });
}

void WaitReporter::apply(const core::EndGeneration&, core::TimePoint now) {
  timer_->at(now + kReportAfter, [this, give_up_at = now + os::final_wait()] {
    reporter_.still_dying(workers_.remaining(), give_up_at - loop_.now());
  });
}

void WaitReporter::report_waiting() {
  const auto kill_at = group_.kill_at();  // a Ctrl-Z has moved it
  if (group_.phase() != core::Phase::tearing_down || !kill_at) return;
  std::vector<core::LocalRank> waiting_for;
  for (const auto& worker : group_.verdict().workers) {
    if (worker.pid > 0 && !worker.status) waiting_for.push_back(worker.local_rank);
  }
  reporter_.still_waiting(*group_.verdict().cause, waiting_for, *kill_at - loop_.now(),
                          group_.stop_signal() == SIGINT);
}

void WaitReporter::report_lingering() {
  const auto kill_at = group_.kill_at();
  if (group_.phase() != core::Phase::lingering || !kill_at) return;
  reporter_.still_lingering(workers_.left_running(), *kill_at - loop_.now());
}

}  // namespace ddp
