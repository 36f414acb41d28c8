// `ddpctl logs`: the last lines of each rank, from the run's log files or from the launch.
#pragma once

#include "launcher/ddpctl/arguments.hpp"
#include "launcher/ddpctl/runs.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp::ctl {

// The last `count` lines of the log files of one rank, stdout's before stderr's. None: the launch
// does not keep both.
std::optional<std::vector<std::string>> file_tail(const Run& run, int rank, int count);

// The last `count` lines of a file, of at most 1 MiB.
std::optional<std::vector<std::string>> last_lines(const std::string& path, int count);

}  // namespace ddp::ctl
