// Watches a launch for hangs and stragglers: tells core::HangWatch and core::StragglerWatch what
// the ranks do, wakes up when a limit may be exceeded, and looks at a hung group before it goes.
// Without a limit it wakes up never.
#pragma once

#include "common/notify_message.hpp"
#include "launcher/core/group/action.hpp"
#include "launcher/core/group/event.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/hangs/options.hpp"
#include "launcher/output/router.hpp"
#include "launcher/report/reporter.hpp"
#include "launcher/workers/worker_set.hpp"

#include <functional>
#include <memory>
#include <string>

namespace ddp {

class HangMonitor {
 public:
  // All borrowed.
  struct Deps {
    boost::asio::io_context& io;
    core::RankGroup ranks;
    const HangOptions& options;
    const out::Router& router;
    WorkerSet& workers;
    Reporter& reporter;
    std::string run_dir;
    bool keeps_files;                              // what is written there outlives the run
    std::function<void(const core::Event&)> feed;  // to the group
  };
  explicit HangMonitor(Deps deps);
  ~HangMonitor();

  void run_began();
  void generation_began(core::Generation generation);
  void worker_started(core::LocalRank rank);
  void notified(core::LocalRank rank, const NotifyMessage& message);
  void worker_exited(core::LocalRank rank);
  void suspended(core::Nanoseconds duration);
  void take_evidence(const core::TakeEvidence& take);
  void teardown_began(const core::TeardownBegan& teardown);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;  // none: nothing is watched
};

}  // namespace ddp
