// Runs the user's check (--check) for each rank: a shell command with the rank's environment, next
// to no worker. Its processes are contained and cleared away as an attempt's are.
#pragma once

#include "launcher/core/action.hpp"
#include "launcher/core/observer.hpp"
#include "launcher/os/fd.hpp"
#include "launcher/os/loop.hpp"
#include "launcher/workers/worker_environment.hpp"
#include "launcher/workers/workers.hpp"

#include <deque>
#include <map>
#include <string>

namespace ddp {

class CheckRunner {
 public:
  // `loop` and `workers` are borrowed. `command` is for /bin/sh; `run_dir` is DDP_RUN_DIR.
  CheckRunner(os::Loop& loop, Workers& workers, WorkerSpec spec, std::string command,
              std::string run_dir, core::Publish publish);

  // Starts one check a turn of the event loop, so that a stop request comes between any two.
  void run(const core::RunChecks& run);
  void end();

 private:
  void start_next();
  void ended(core::LocalRank rank, core::ExitStatus status);
  void publish(core::CheckEnd end);

  os::Loop& loop_;
  Workers& workers_;
  const WorkerSpec spec_;
  const std::string command_;
  const std::string run_dir_;
  core::Publish publish_;
  core::Generation generation_ = 0;
  std::deque<core::LocalRank> waiting_;
  std::map<core::LocalRank, os::ScopedFd> running_;  // the output of each
  bool starts_ = false;                              // a turn of the loop will start the next
};

}  // namespace ddp
