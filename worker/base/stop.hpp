// SIGTERM or SIGINT asks a training run to finish its step, write a checkpoint and exit with 0.
#pragma once

#include <chrono>

namespace ddp::worker {

// From now on both are noted instead of killing. Before, they kill: there is nothing to save.
void watch_for_stop();
bool stop_requested();

// Returns when the stop was requested, or after this time.
void await_stop(std::chrono::milliseconds at_most);

// How long a launcher is given to see whose death made a collective fail, and to stop this rank. A
// peer's sockets are closed a little before its death can be seen: on a starved machine this
// process could be dead by then, and be blamed.
inline constexpr std::chrono::milliseconds kPeersDeathSeen{1000};

}  // namespace ddp::worker
