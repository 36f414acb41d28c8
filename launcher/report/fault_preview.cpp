#include "launcher/report/fault_preview.hpp"

#include "common/duration_text.hpp"
#include "common/faults/schedule.hpp"
#include "launcher/core/record/expectations.hpp"

#include <algorithm>

namespace ddp {
namespace {

using fault::Schedule;
using fault::Spec;

constexpr std::int64_t kShown = 8;

std::string moment_text(const Spec& spec, const Schedule& schedule, std::int64_t occurrence) {
  const auto& interval = spec.every ? spec.every : spec.mtbf;
  if (interval && std::holds_alternative<core::Nanoseconds>(*interval))
    return " after " + short_duration(schedule.uptime(occurrence));
  if (interval || spec.step) return " at step " + std::to_string(schedule.step(occurrence));
  return {};
}

std::string drawn_text(const Spec& spec, const Schedule& schedule) {
  std::string text;
  const auto shown = std::min(schedule.times(), kShown);
  for (std::int64_t i = 0; i < shown; ++i) {
    text += (text.empty() ? "" : ", ") + ("rank " + std::to_string(schedule.rank(i))) +
            moment_text(spec, schedule, i);
  }
  return "    " + text + (shown < schedule.times() ? ", …\n" : "\n");
}

}  // namespace

std::string faults_preview(const core::FaultPlan& plan, int world_size) {
  if (plan.faults.empty()) return {};
  std::string text = "\nplanned faults (seed " + std::to_string(plan.seed) + "):\n";
  for (std::size_t i = 0; i < plan.faults.size(); ++i) {
    const Spec& spec = plan.faults[i];
    text += "  " + fault::format(spec) + "\n";
    // Faults of the launcher itself and of a port have no target rank.
    if (!fault::takes(spec.kind, fault::Word::rank)) continue;
    const auto slot = [&](int rank) {
      return Schedule(spec, plan.seed, static_cast<int>(i), rank, world_size);
    };
    const bool drawn_moment = spec.mtbf || (spec.step && spec.step->first != spec.step->last);
    if (spec.ranks.mode == fault::Ranks::Mode::any) {
      if (world_size > 1 || drawn_moment) text += drawn_text(spec, slot(Schedule::kAny));
    } else if (drawn_moment) {
      for (int rank = 0; rank < world_size; ++rank) {
        if (spec.addresses(rank)) text += drawn_text(spec, slot(rank));
      }
    }
  }
  return text;
}

}  // namespace ddp
