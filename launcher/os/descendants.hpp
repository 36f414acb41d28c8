// Leaves nothing behind: kills and reaps whatever still lives below this process.
//
// The process is a subreaper, so an orphan at any depth (a data-loader child, one that called
// setsid or forked twice) becomes its direct child when its parent dies. Killing direct children
// round after round therefore reaches every descendant, and only pids that cannot have been reused
// are ever signalled: a direct child keeps its pid until we reap it.
#pragma once

#include "launcher/core/types.hpp"

#include <chrono>
#include <functional>
#include <vector>

namespace ddp::os {

// Makes this process the one that inherits its orphaned descendants. False with errno set.
bool become_subreaper();

// Reaps every dead child that `spare` does not claim, without waiting. Stops at the first one it
// claims: that one's own watcher will reap it. Returns false when no child is left at all.
bool reap_orphans(const std::function<bool(int pid)>& spare);

// One round: SIGKILL (and nothing else) to every direct child that lives.
void kill_children();

// The direct children that are not dead, as /proc shows them, and the dead that a tracer keeps
// from being reaped (state Z).
std::vector<core::Survivor> living_children();

// Reaps children, and what comes to this process as a subreaper, until none is left or the time is
// over; blocks, as the next. True when none is left.
bool reap_all(std::chrono::milliseconds timeout);

// How long SIGKILL may take to end a process before that is named and given up. The kernel frees
// pinned memory and a GPU's queues before a process is gone, which has been seen to take many
// seconds; what sleeps on a dead network mount never ends.
std::chrono::milliseconds final_wait();

// Rounds of kill and reap until no child is left or the timeout is over; blocks. For a process
// without an event loop of its own (the keeper). Returns what would not die. `spared` are children
// that were there before the launch was: a script's, which then became the launcher by exec.
std::vector<core::Survivor> kill_and_reap_all(std::chrono::milliseconds timeout,
                                              const std::vector<int>& spared = {});

}  // namespace ddp::os
