// A launch as it answers `info`.
#pragma once

#include "launcher/core/group/group.hpp"
#include "launcher/core/progress/progress.hpp"
#include "launcher/core/ranks.hpp"
#include "launcher/core/types.hpp"

#include <string>
#include <vector>

namespace ddp::control {

// What does not change while it runs.
struct LaunchDescription {
  std::string run_id;
  int pid = 0;  // of the process that the user sees
  core::RankGroup ranks;
  std::vector<std::string> command;
  std::string log_dir;  // of the run, absolute; empty: none
  core::TimePoint began;
};

// One line of JSON; docs/ddpctl.md has its fields.
std::string status_line(const LaunchDescription& launch, const core::Group& group,
                        const core::Progress& progress, core::TimePoint now);
std::string info_line(const LaunchDescription& launch, const core::Group& group,
                      core::TimePoint now);

}  // namespace ddp::control
