// What a rank did from its start to its exit, as the page and the trace draw it.
#pragma once

#include "launcher/history/history.hpp"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace ddp::history {

enum class Activity { start_up, running, steps, repeated, unfinished, stopping, shutdown };

struct ActivityName {
  std::string_view id;    // in the classes of the page
  std::string_view what;  // for people
};
inline constexpr std::array kActivities{
    ActivityName{"startup", "start-up"},
    ActivityName{"running", "running, no steps reported"},
    ActivityName{"steps", "steps that lasted"},
    ActivityName{"repeated", "steps that were repeated"},
    ActivityName{"unfinished", "unfinished step"},
    ActivityName{"stopping", "being stopped"},
    ActivityName{"shutdown", "after the last step"},
};
constexpr const ActivityName& name_of(Activity activity) {
  return kActivities[static_cast<std::size_t>(activity)];
}

struct Segment {
  Activity activity;
  core::TimePoint from;
  core::TimePoint to;
};

// Without gap or overlap, from the rank's start to its exit; none is empty. `repeated` is
// repeated_from() of the attempt, `end` that of the run.
std::vector<Segment> segments(const Generation& attempt, const RankSpan& rank,
                              std::optional<core::TimePoint> repeated, core::TimePoint end);

// "exit 1", "SIGKILL", "SIGKILL, out of memory"; empty: it has not exited.
std::string exit_text(const RankSpan& rank);

// It failed, and not because the group was being stopped.
bool died(const Generation& attempt, const RankSpan& rank);

}  // namespace ddp::history
