// What the user asks of the worker on its command line.
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
  int accumulate = 1;  // parts a rank's share of the batch is computed in
  double learning_rate = 2e-3;
  std::int64_t warmup = 10;
  double weight_decay = 1;  // strong: a few kilobytes of text are soon learnt by heart
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
  int exit_code = -1;  // 0 or 2: leave at once, everything has been said; -1: go on
};

// Writes --help and --version to `out`, what is wrong with the command line to `err`.
ParsedOptions parse_options(int argc, const char* const* argv, std::ostream& out,
                            std::ostream& err);

}  // namespace ddp::worker
