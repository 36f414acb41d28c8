// Runs the plans of a campaign, one after another, each as a ddp-launch of its own.
//
//   keeper of the campaign       launcher/keeper/keeper.hpp, as of a launch: the pid the user sees
//   └─ campaign                  this loop. Subreaper; parent of one run at a time
//      └─ ddp-launch --faults …  a session of its own; SIGKILL when its parent dies, upon which its
//                                supervisor tears its group down
//
// A plan that lasts longer than its timeout gets SIGTERM, and SIGKILL when that does not end it
// within its own grace period and a little more. A stop request goes to the run as it came, and
// ends the campaign. Nothing of a run is left when the next begins.
#pragma once

#include "launcher/campaign/options.hpp"

namespace ddp::campaign {

// Runs the campaign under a keeper of its own and returns, in the keeper, its exit code. The
// results go to stdout, and to the campaign's JUnit file. Call as os::keep().
int run(const Campaign& campaign);

}  // namespace ddp::campaign
