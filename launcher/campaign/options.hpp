// The command line of a campaign: ddp-launch --campaign DIR [options] [-- PROGRAM [arguments]].
#pragma once

#include "launcher/campaign/plans.hpp"

#include <string>
#include <variant>
#include <vector>

namespace ddp::campaign {

struct Campaign {
  std::vector<PlannedRun> runs;
  std::string run_id;   // its name: what its directory is called
  std::string log_dir;  // where everything is kept, as <log_dir>/<run_id>/<plan>; empty: nowhere
  std::string junit;    // empty: none
  bool dry_run = false;
};

// Whether the command line asks for a campaign; the rest of it is not checked.
bool is_campaign(int argc, const char* const* argv);

// Everything checked, the plans too. A refusal may have several lines, one a plan.
std::variant<Campaign, ExitNow> parse_campaign(int argc, const char* const* argv);
std::variant<Campaign, ExitNow> parse_campaign(int argc, const char* const* argv,
                                               const Machine& machine);

// What each run would be started as, and start nothing.
std::string dry_run_text(const Campaign& campaign);

}  // namespace ddp::campaign
