// Room: launcher/hangs. Watches for hangs and collects diagnostics before a hung group is stopped.
// Includes: common, launcher/base, launcher/core, launcher/core/hangs, launcher/os,
// launcher/output, launcher/report, launcher/settings, launcher/workers. Included by: launcher/cli,
// launcher/control, launcher/supervisor.
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

// Where the evidence is, and where it comes from.
struct HangPlaces {
  std::string run_dir;       // the diagnostics are written below it
  bool keeps_files = false;  // they outlive the run
  std::string trace_pipes;  // prefix of the flight recorder's pipes, unless the user has chosen one
  std::string ras_address;  // of NCCL's RAS; empty: none
  AskRas ask_ras = nullptr;  // none: it is not asked
};

class HangMonitor final : public core::Observer {
 public:
  // References are borrowed.
  HangMonitor(os::Loop& loop, const core::RankGroup& ranks, const HangOptions& options,
              const out::Router& router, Workers& workers, HangPlaces places,
              core::Publish publish);

  void on(const core::Event& event, core::TimePoint now) override;
  void on(const core::Action& action, core::TimePoint now) override;

  void apply(const core::GenerationBegan& began, core::TimePoint now);
  void apply(const core::WorkerStep& event, core::TimePoint now);
  void apply(const core::WorkerExited& exited, core::TimePoint now);
  void apply(const core::TakeEvidence& take, core::TimePoint now);
  void apply(const core::TeardownBegan& teardown, core::TimePoint now);

 private:
  HangEvidencePlan plan(const core::TakeEvidence& take) const;
  void explain(std::optional<core::LocalRank> root_cause);
  void arm();
  void wait(core::TimePoint until, bool news_read);
  void due(bool news_read);

  os::Loop& loop_;
  const core::RankGroup ranks_;
  const HangOptions& options_;
  Workers& workers_;
  const HangPlaces places_;
  core::Publish publish_;
  const bool limits_;  // whether there is one
  const bool compares_;
  core::HangWatch watch_;
  core::StragglerWatch stragglers_;
  std::unique_ptr<os::Timer> timer_;
  std::optional<core::TimePoint> armed_;
  core::Generation generation_ = 0;
  std::optional<HangEvidence> evidence_;
  std::string ras_file_;  // the answer of RAS; empty: none
};

}  // namespace ddp
