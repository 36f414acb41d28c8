// Room: launcher/core. The values of the core: events, actions, causes, verdicts, exit codes. The
// core decides and touches nothing: no clock, no descriptor, no thread.
// Includes: common, common/faults. Included by: launcher, launcher/campaign, launcher/cli,
// launcher/control, launcher/core/faults, launcher/core/group, launcher/core/hangs,
// launcher/core/progress, launcher/core/record, launcher/diagnosis, launcher/events,
// launcher/faults, launcher/hangs, launcher/history, launcher/keeper, launcher/metrics,
// launcher/os, launcher/output, launcher/peers, launcher/placement, launcher/preflight,
// launcher/preload, launcher/program, launcher/rendezvous, launcher/report, launcher/status,
// launcher/supervisor, launcher/workers.
//
// The values of the core. Workers of this machine are numbered by local rank, 0 … nproc-1; users
// read the global rank.
#pragma once

#include "launcher/core/ranks.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace ddp::core {

using Nanoseconds = std::chrono::nanoseconds;
// Of the monotonic clock. The core never reads a clock: every time comes in from outside.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

using Generation = int;  // the number of an attempt, from 0

// How a process ended, decoded once from what waitid returns.
struct Exited {
  int code = 0;
  friend bool operator==(const Exited&, const Exited&) = default;
};
struct Signaled {
  int signal = 0;
  bool core_dumped = false;
  friend bool operator==(const Signaled&, const Signaled&) = default;
};
using ExitStatus = std::variant<Exited, Signaled>;

inline bool succeeded(const ExitStatus& status) { return status == ExitStatus(Exited{0}); }

// Where starting a worker failed, and the system's reason.
enum class SpawnStage { fork, setup, exec };
struct SpawnError {
  SpawnStage stage = SpawnStage::exec;
  int error_number = 0;
  friend bool operator==(const SpawnError&, const SpawnError&) = default;
};

// What shows which rank a process belongs to.
enum class Proof {
  none,         // nothing: a daemon that gave up session, parent and environment
  session,      // it is in the session that the rank's first process made
  parentage,    // it descends from the rank's first process
  environment,  // it has the rank's NOTIFY_SOCKET, as no process of another rank has
};

const char* name_of(Proof proof);

// A process that a rank left running and that had to be killed.
struct Leftover {
  int pid = 0;
  LocalRank local_rank = -1;  // -1: its rank is unknown
  Proof proof = Proof::none;
  std::string command;
};

// A process that SIGKILL did not end within the final wait.
struct Survivor {
  int pid = 0;
  LocalRank local_rank = -1;  // -1: a descendant that is not a worker
  char state = '?';           // as /proc/<pid>/stat: D is uninterruptible sleep
  std::string wait_channel;   // kernel function it sleeps in, may be empty
  std::string command;
};

}  // namespace ddp::core
