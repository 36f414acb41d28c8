// What ddpctl prints, as tables.
#pragma once

#include "launcher/ddpctl/answer.hpp"
#include "launcher/ddpctl/runs.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ddp::ctl {

// One line a run, with a head. `columns`: of the terminal, where lines are cut.
std::string list_table(const std::vector<Run>& runs, std::optional<int> columns);

// The answer to `status`: what the group does, and a line for each rank.
std::string status_table(const Answer& status);
// One rank of the answer to `stacks`.
std::string stack_text(const Answer& stack);

}  // namespace ddp::ctl
