// Stop requests: on SIGTERM or SIGINT a run finishes its step, writes a checkpoint and exits with
// 0.
#pragma once

#include <chrono>

namespace ddp::worker {

// From now on the two signals are noted and no longer kill. Before, there is nothing to save.
void watch_for_stop();
bool stop_requested();

// Returns when a stop is requested, or after this time.
void await_stop(std::chrono::milliseconds at_most);

// How long this rank waits, after a collective failed because of a peer, for the launcher to see
// the peer's exit and to stop this rank. A process's sockets close shortly before its exit is
// visible: on an overloaded machine this process could exit first and be reported as the root
// cause.
inline constexpr std::chrono::milliseconds kPeersDeathSeen{1000};

}  // namespace ddp::worker
