// Says what ddp-launch waits for, once a wait has lasted a second: for ranks to exit, for what they
// left running, for processes still alive after SIGKILL.
#pragma once

#include "launcher/core/group/group.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/report/reporter.hpp"
#include "launcher/workers/workers.hpp"

#include <memory>

namespace ddp {

class WaitReporter final : public core::Observer {
 public:
  // All borrowed.
  WaitReporter(os::Loop& loop, const core::Group& group, const Workers& workers, Reporter& reporter)
      : loop_(loop),
        group_(group),
        workers_(workers),
        reporter_(reporter),
        timer_(loop.make_timer()) {}

  void on(const core::Event& event, core::TimePoint now) override {
    core::dispatch(*this, event, now);
  }
  void on(const core::Action& action, core::TimePoint now) override {
    core::dispatch(*this, action, now);
  }

  void apply(const core::TeardownBegan& teardown, core::TimePoint now);
  void apply(const core::AwaitDescendants& await, core::TimePoint now);
  void apply(const core::EndGeneration& end, core::TimePoint now);
  void apply(const core::TeardownEscalated&, core::TimePoint) { timer_->cancel(); }
  void apply(const core::DescendantsGone&, core::TimePoint) { timer_->cancel(); }
  void apply(const core::ProcessesGone&, core::TimePoint) { timer_->cancel(); }

 private:
  void report_waiting();
  void report_lingering();

  os::Loop& loop_;
  const core::Group& group_;
  const Workers& workers_;
  Reporter& reporter_;
  std::unique_ptr<os::Timer> timer_;
};

}  // namespace ddp
