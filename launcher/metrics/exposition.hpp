// All metrics of a run as one text. Pure. docs/metrics.md has every metric.
#pragma once

#include "launcher/core/progress/goodput.hpp"
#include "launcher/core/progress/progress.hpp"
#include "launcher/core/types.hpp"
#include "launcher/metrics/counts.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace ddp::metrics {

using WallTime = std::chrono::system_clock::time_point;

// What a launch is, whatever happens in it.
struct RunFacts {
  std::string run_id;
  std::string program;  // as the user gave it
  std::string version;  // of ddp-launch
  core::RankGroup ranks;
};

struct RunEnd {
  int exit_code = 0;
  WallTime at;
};

// A moment of a run. All but the numbers is borrowed.
struct View {
  const RunFacts& facts;
  const core::Progress& progress;
  const Counts& counts;
  std::optional<core::Goodput> goodput;
  WallTime began;
  core::TimePoint now;
  std::optional<RunEnd> end;  // none: it runs
};

std::string exposition(const View& view);

}  // namespace ddp::metrics
