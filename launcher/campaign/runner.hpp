// Room: launcher/campaign. Many plans, each in its own run, and one report.
// Includes: common, launcher/base, launcher/cli, launcher/core, launcher/core/record,
// launcher/events, launcher/keeper, launcher/os, launcher/output, launcher/plan,
// launcher/rendezvous, launcher/report, launcher/settings, launcher/status. Included by: launcher.
//
// Runs the plans of a campaign one after another, each in a separate ddp-launch.
//
//   keeper of the campaign       launcher/keeper/keeper.hpp, as for a launch: the pid that the user
//   sees └─ campaign                  this loop: a subreaper, parent of one run at a time
//      └─ ddp-launch --faults …  in a new session; gets SIGKILL when its parent dies, and then its
//                                supervisor tears the group down
//
// A run that exceeds its plan's timeout gets SIGTERM, and SIGKILL if it is still alive 20 s after
// its own grace period. A stop request is passed on to the run and ends the campaign. No process of
// a run is left when the next one starts.
#pragma once

#include "launcher/campaign/options.hpp"

namespace ddp::campaign {

// Runs the campaign under a keeper and returns, in the keeper, the exit code. The results go to
// stdout and to the campaign's JUnit file. Call as os::keep().
int run(const Campaign& campaign);

}  // namespace ddp::campaign
