// Lists every process below this one with the rank it belongs to, and sends signals that cannot
// reach another process even when a pid is reused.
#pragma once

#include "launcher/core/group/stop_scope.hpp"
#include "launcher/core/types.hpp"

#include <string>
#include <vector>

namespace ddp::os {

// A rank's first process, living or not.
struct RankProcess {
  core::LocalRank local_rank = 0;
  int pid = 0;
};

// The evidence that attributes a process to a rank.
struct RankKeys {
  std::vector<RankProcess> ranks;  // of the current attempt
  // NOTIFY_SOCKET of local rank r is "<notify_prefix>r", in this launch alone.
  std::string notify_prefix;
  std::vector<int> not_theirs;  // children of this process that belong to no rank (debuggers)
};

// Every living process below this one, each after its parent, with the proof of its rank:
//   session      its session id is the pid of the rank's first process. The kernel does not reuse
//   that
//                number while a member of the session lives, so it holds after the leader's exit;
//   parentage    its parent is attributed;
//   environment  it got the rank's NOTIFY_SOCKET at its exec: holds for a daemon that forked twice.
// A process that left its session, lost its parent and cleared its environment has no proof. A
// cgroup for each rank would give one, but making and removing it takes 85 µs: a quarter of what a
// launch of 64 ranks takes in all.
core::ProcessTable process_table(const RankKeys& keys);

// The processes in it that are no rank's first process, with their command lines.
std::vector<core::Leftover> left_running(const core::ProcessTable& table);

// Whether `pid` runs a shell, by the name of its executable.
bool is_shell(int pid);
// Whether its main thread waits for a child to exit.
bool waits_for_children(int pid);

// The current time on the clock of ProcessFacts::start_time.
std::uint64_t ticks_since_boot();

// Signals the process with this pid and this start time. False where it has exited.
bool signal_process(int pid, std::uint64_t start_time, int signal);

}  // namespace ddp::os
