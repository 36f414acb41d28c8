// Watches a launch for hangs and stragglers: passes on to core::HangWatch and core::StragglerWatch
// what the ranks do, wakes up when a limit may be exceeded, and examines a hung group before it is
// torn down. Without a limit it never wakes up.
#pragma once

#include "launcher/cli/options.hpp"
#include "launcher/core/hangs/hang_watch.hpp"
#include "launcher/core/hangs/straggler_watch.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/hangs/diagnostics.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/workers.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ddp {

class HangMonitor final : public core::Observer {
 public:
  // All borrowed. Diagnostics are kept below `run_dir`.
  HangMonitor(os::Loop& loop, const Options& options, const out::Router& router, Workers& workers,
              std::string run_dir, core::Publish publish);

  void on(const core::Event& event, core::TimePoint now) override;
  void on(const core::Action& action, core::TimePoint now) override;

  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStep& event, core::TimePoint now);
  void apply(const core::WorkerExited& exited, core::TimePoint now);
  void apply(const core::TakeEvidence& take, core::TimePoint now);
  void apply(const core::TeardownBegan& teardown, core::TimePoint now);

 private:
  std::string dir(core::Generation generation, const std::string& rank) const;
  HangEvidencePlan plan(const core::TakeEvidence& take) const;
  void explain(std::optional<core::LocalRank> root_cause);
  void arm();
  void wait(core::TimePoint until, bool news_read);
  void due(bool news_read);

  os::Loop& loop_;
  const Options& options_;
  Workers& workers_;
  std::string run_dir_;
  core::Publish publish_;
  const bool limits_;  // whether there is one
  const bool compares_;
  core::HangWatch watch_;
  core::StragglerWatch stragglers_;
  std::unique_ptr<os::Timer> timer_;
  std::optional<core::TimePoint> armed_;
  core::Generation generation_ = 0;
  std::optional<HangEvidence> evidence_;
};

}  // namespace ddp
