// The launches of this user that run on this machine.
#pragma once

#include "common/result.hpp"
#include "launcher/ddpctl/link.hpp"

#include <chrono>
#include <string>
#include <variant>
#include <vector>

namespace ddp::ctl {

// What a launch answers to `info` (docs/ddpctl.md).
struct Run {
  std::string socket;
  std::string run_id;
  int pid = 0;
  std::chrono::nanoseconds age{};
  std::string state;
  int generation = 0;
  int first_rank = 0;
  int nproc = 1;
  int world_size = 1;
  std::vector<std::string> command;
  std::string log_dir;  // empty: none
};

struct Found {
  std::vector<Run> runs;            // the oldest first
  std::vector<std::string> silent;  // sockets where a launch listens and does not answer
};

// Asks every socket below `dir`, or where ddp-launch makes its private directories. One that does
// not answer at once is stale, and left out.
Found find_runs(const std::string& dir);

// The run that `id` names, by its run id or its pid; where it is empty the only one.
struct NoRun {
  std::string why;
  int exit_code = 1;
};
std::variant<Run, NoRun> choose_run(const Found& found, const std::string& id);

}  // namespace ddp::ctl
