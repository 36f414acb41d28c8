// Room: worker/cli. The worker's command line in, its lines of output out.
// Includes: common, worker/base, worker/comm, worker/gpu, worker/model. Included by: worker,
// worker/checkpoint.
//
// The command line of the worker.
#pragma once

#include "worker/gpu/backend.hpp"
#include "worker/model/layout.hpp"

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace ddp::worker {

struct Options {
  std::vector<std::string> data;
  ModelShape model;
  std::int64_t steps = 400;
  int batch = 256;     // global
  int accumulate = 1;  // a rank computes its share of the batch in this many parts
  double learning_rate = 2e-3;
  std::int64_t warmup = 10;
  double weight_decay = 1;  // strong, because a few kilobytes of text are soon memorised
  double grad_clip = 1;
  std::uint64_t seed = 1;
  double held_out = 0.1;

  std::int64_t log_every = 20;
  std::int64_t eval_every = 0;  // 0: only at the end
  bool json = false;
  int generate = 0;
  double temperature = 0.8;

  std::string checkpoint_dir;           // empty: no checkpoints
  std::int64_t checkpoint_every = 100;  // steps; 0: only at the end
  int keep = 3;

  Backend backend = Backend::automatic;
  DataType type = DataType::fp32;
  bool overlap = true;
  std::chrono::milliseconds join_timeout{60000};
  std::chrono::milliseconds comm_timeout{60000};
};

struct ParsedOptions {
  Options options;
  int exit_code = -1;  // 0 or 2: exit now, everything is printed; -1: continue
};

// Prints --help and --version to `out`, and errors in the command line to `err`.
ParsedOptions parse_options(int argc, const char* const* argv, std::ostream& out,
                            std::ostream& err);

}  // namespace ddp::worker
