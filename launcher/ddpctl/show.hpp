// What ddpctl prints, as tables.
#pragma once

#include "launcher/ddpctl/runs.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp::ctl {

// One line a run, with a head. `columns`: of the terminal, where lines are cut.
std::string list_table(const std::vector<Run>& runs, std::optional<int> columns);

}  // namespace ddp::ctl
