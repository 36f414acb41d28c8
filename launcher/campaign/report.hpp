// The results of a campaign as text and as JUnit suites.
#pragma once

#include "launcher/campaign/result.hpp"
#include "launcher/report/junit.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace ddp::campaign {

// One line, "  3/27  NOT MET  hang-in-step  12.3 s  exit: expected 0, measured 72", and the last
// lines of the run's output if the plan was not met.
std::string progress_text(const PlanResult& result, std::size_t number, std::size_t count);

// How far a campaign is, for the last line of a terminal: "plan 3 of 12: kill-rank-2  0:41  2 met,
// 1 NOT MET  about 3:20 left". `running` is the plan that runs now, for `age` so far. Less than
// `columns` wide.
std::string status_text(const std::vector<PlanResult>& results, std::size_t planned,
                        const std::string& running, core::Nanoseconds age, int columns);

// One row a plan: met or not, duration, number of failures; the longest time until a failure was
// detected, until the group was down, and until the first new step; then what was not met. The last
// line has the totals. `planned` includes plans that were not run.
std::string summary_table(const std::vector<PlanResult>& results, std::size_t planned);

// One suite a plan, with one case a check or, if the campaign was stopped, one failed case. A plan
// that was not met has its run's output.
std::vector<JUnitSuite> junit_suites(const std::vector<PlanResult>& results);

}  // namespace ddp::campaign
