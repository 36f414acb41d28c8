// A look at every process below this one, and at whose it is; signals to them that cannot reach
// another process, even where a pid has been given anew.
#pragma once

#include "launcher/core/processes/stop_scope.hpp"
#include "launcher/core/types.hpp"

#include <string>
#include <vector>

namespace ddp::os {

// A rank's first process, living or not.
struct RankProcess {
  core::LocalRank local_rank = 0;
  int pid = 0;
};

// What a process is attributed by.
struct RankKeys {
  std::vector<RankProcess> ranks;  // of the present generation
  // NOTIFY_SOCKET of local rank r is "<notify_prefix>r": no other launch's.
  std::string notify_prefix;
  std::vector<int> not_theirs;  // children of this process that belong to no rank (debuggers)
};

// Every living process below this one, each behind its parent, with what each shows of its rank:
//   session      the session has the number of the rank's first process. The kernel gives that
//                number to nobody else while one member lives, so it holds after the leader's end;
//   parentage    a process between the two is attributed;
//   environment  the rank's NOTIFY_SOCKET at its exec: holds for a daemon that forked twice.
// One that left its session, lost its parent and cleared its environment shows nothing. A cgroup
// for each rank would, but making and removing one takes 85 µs: a quarter of what a launch of 64
// ranks takes in all.
core::ProcessTable process_table(const RankKeys& keys);

// What of it is no rank's first process, with its command line.
std::vector<core::Leftover> left_running(const core::ProcessTable& table);

// Whether `pid` runs a shell, by the name of its executable.
bool is_shell(int pid);
// Whether its main thread is blocked until a child of its ends.
bool waits_for_children(int pid);

// Now, as ProcessFacts::start_time counts.
std::uint64_t ticks_since_boot();

// To this very process; false where it has ended.
bool signal_process(int pid, std::uint64_t start_time, int signal);

}  // namespace ddp::os
