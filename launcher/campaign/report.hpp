// A campaign's results as text and as JUnit suites. Pure.
#pragma once

#include "launcher/campaign/result.hpp"
#include "launcher/report/junit.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace ddp::campaign {

// "  3/27  NOT MET  hang-in-step  12.3 s  exit: expected 0, measured 72", and of a plan that was
// not met the last lines of its output below it.
std::string progress_text(const PlanResult& result, std::size_t number, std::size_t count);

// One row a plan: met or not, duration, failures, and of several failures the longest time each was
// undetected, the group was going down, and no new step was done; then what was not met. A last
// line counts. `planned` counts those that were not run too.
std::string summary_table(const std::vector<PlanResult>& results, std::size_t planned);

// One suite a plan, one case a check, or the stop of the campaign alone; the output of a plan that
// was not met stands with it.
std::vector<JUnitSuite> junit_suites(const std::vector<PlanResult>& results);

}  // namespace ddp::campaign
