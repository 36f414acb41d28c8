// The end of a run as one line of JSON, for --summary json (docs/events.md, "The last line").
#pragma once

#include "launcher/core/progress/goodput.hpp"
#include "launcher/core/record/expectations.hpp"
#include "launcher/core/record/run_record.hpp"
#include "launcher/report/options.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddp {

struct RunSummary {
  const LaunchFacts& launch;
  const core::RunRecord& record;
  const std::vector<core::Check>& checks;
  const std::optional<core::Goodput>& goodput;
  std::string_view cause;  // why the last attempt ended; empty: every rank exited 0
  core::Nanoseconds duration{};
  int exit_code = 0;
};

// Without a newline.
std::string summary_json(const RunSummary& summary);

// The last line of a run whose supervisor was killed: the rest was lost with it.
std::string summary_json_without_record(const LaunchFacts& launch, int exit_code,
                                        core::Nanoseconds duration);

// The last line of a campaign.
struct CampaignSummary {
  struct Run {
    std::string name;     // of its plan
    std::string outcome;  // met, not met or stopped
    core::Nanoseconds duration{};
  };
  std::string run_id;
  std::size_t plans = 0;  // those that did not run included
  std::vector<Run> runs;
  core::Nanoseconds duration{};
  int exit_code = 0;
};
std::string summary_json(const CampaignSummary& summary);

}  // namespace ddp
