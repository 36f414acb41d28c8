// The command line of a campaign: ddp-launch --campaign DIR [options] [-- PROGRAM [arguments]].
#pragma once

#include "launcher/campaign/plans.hpp"

#include <string>
#include <variant>
#include <vector>

namespace ddp::campaign {

struct Campaign {
  std::vector<PlannedRun> runs;
  std::string run_id;   // the name of its directory
  std::string log_dir;  // keeps all files, as <log_dir>/<run_id>/<plan>; empty: they are removed
  std::string junit;    // empty: none
  bool json_summary = false;
  bool status = true;  // below the lines of a terminal
  bool dry_run = false;
};

// Whether the command line asks for a campaign. Nothing else in it is checked.
bool is_campaign(int argc, const char* const* argv);

// Reads and checks the command line and all plans. An error may have several lines, one a plan.
std::variant<Campaign, ExitNow> parse_campaign(int argc, const char* const* argv);
std::variant<Campaign, ExitNow> parse_campaign(int argc, const char* const* argv,
                                               const Machine& machine);

// The command line of each run, for --dry-run.
std::string dry_run_text(const Campaign& campaign);

}  // namespace ddp::campaign
