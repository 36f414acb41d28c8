// Kills and reaps every process that still lives below this one, so that nothing is left behind.
//
// The process is a subreaper, so an orphan at any depth (a data-loader child, one that called
// setsid or forked twice) becomes its direct child when its parent dies. Killing direct children
// in rounds therefore reaches every descendant. Only pids that cannot have been reused are
// signalled: a direct child keeps its pid until this process reaps it.
#pragma once

#include "launcher/core/types.hpp"

#include <chrono>
#include <functional>
#include <vector>

namespace ddp::os {

// Makes this process inherit its orphaned descendants. False with errno set on failure.
bool become_subreaper();

// Reaps dead children without waiting, until it meets one that `spare` claims: that child's own
// watcher reaps it. Returns false when no child is left at all, but for one that is set apart.
bool reap_orphans(const std::function<bool(int pid)>& spare);

// One child of this process that belongs to no attempt (the preloader): it is not killed, counted
// or reaped by the functions below, but for kill_and_reap_all. 0: none.
void set_apart(int pid);

// Sends SIGKILL, once, to every direct child that is alive.
void kill_children();

// The direct children that are alive, as /proc shows them, and dead ones that a tracer keeps from
// being reaped (state Z).
std::vector<core::Survivor> living_children();

// Reaps children, and orphans that this process adopts as a subreaper, until none is left or
// `timeout` has passed. Blocks. True when none is left.
bool reap_all(std::chrono::milliseconds timeout);

// How long the launcher waits for a process to exit after SIGKILL before it reports and abandons
// the process. The kernel frees pinned memory and a GPU's queues first, which can take many
// seconds; a process that sleeps on a dead network mount never exits.
std::chrono::milliseconds final_wait();

// Kills and reaps in rounds until no child is left or `timeout` has passed. Blocks: for a process
// without an event loop (the keeper). Returns the processes that did not exit. `spared` are
// children from before the launch, for instance those of a script that became the launcher by exec.
std::vector<core::Survivor> kill_and_reap_all(std::chrono::milliseconds timeout,
                                              const std::vector<int>& spared = {});

}  // namespace ddp::os
