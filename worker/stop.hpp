// SIGTERM asks a training run to finish its step, write a checkpoint and leave with 0.
#pragma once

namespace ddp::worker {

// From now on SIGTERM is noted instead of killing. Before, it kills: there is nothing to save.
void watch_for_stop();
bool stop_requested();

}  // namespace ddp::worker
