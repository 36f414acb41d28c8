// Room: launcher/hangs. Watches for hangs and collects diagnostics before a hung group is stopped.
// Includes: common, launcher/base, launcher/core, launcher/core/hangs, launcher/os,
// launcher/output, launcher/report, launcher/settings, launcher/workers. Included by: launcher/cli,
// launcher/supervisor.
//
// Watches a launch for hangs and stragglers: passes on to core::HangWatch and core::StragglerWatch
// what the ranks do, wakes up when a limit may be exceeded, and examines a hung group before it is
// torn down. Without a limit it never wakes up.
#pragma once

#include "launcher/core/hangs/hang_watch.hpp"
#include "launcher/core/hangs/straggler_watch.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/hangs/diagnostics.hpp"
#include "launcher/hangs/options.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/output/router.hpp"
#include "launcher/workers/workers.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ddp {

class HangMonitor final : public core::Observer {
 public:
  // References are borrowed. Diagnostics are written below `run_dir`; `keeps_files`: they outlive
  // the run.
  HangMonitor(os::Loop& loop, const core::RankGroup& ranks, const HangOptions& options,
              const out::Router& router, Workers& workers, std::string run_dir, bool keeps_files,
              core::Publish publish);

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
  const core::RankGroup ranks_;
  const HangOptions& options_;
  Workers& workers_;
  std::string run_dir_;
  const bool keeps_files_;
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
