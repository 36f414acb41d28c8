// Which processes of a rank get a signal. Pure: decides from a table of the processes, which
// launcher/os/process_table.hpp reads.
//
// A rank is often more than one process, and the wrong ones must not get the signal:
//   trainer + data loaders   only the trainer: it finishes its step and saves, with loaders alive
//   sh -c 'train; :'         the trainer too: a shell waits for it and passes nothing on
//   mp.spawn(train)          the trainer too, for the same reason
//   train | tee log          not tee, which has to read what the trainer still writes
// So a stop signal goes to the rank's first process; from a process that waits for its children to
// the children it has then; and, once a process has exited, to what it leaves running. A check
// every second finds processes whose handler waits for their children (Python's at exit), and those
// that have read their pipe to its end. Halfway through the grace period everything else gets it.
#pragma once

#include "launcher/core/types.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ddp::core {

// What /proc shows of a process below the supervisor.
struct ProcessFacts {
  int pid = 0;
  int parent = 0;
  int group = 0;                 // its process group
  std::uint64_t start_time = 0;  // with the pid: identifies one process
  LocalRank local_rank = -1;     // -1: its rank is unknown
  Proof proof = Proof::none;
  bool first = false;            // the rank's first process
  bool shell = false;            // passes no signal on, whatever it does
  bool waits = false;            // blocked until one of its children exits
  std::uint64_t caught = 0;      // signals that it handles, 1 << (signal - 1)
  std::uint64_t ignored = 0;     // signals it ignores, likewise
  std::uint64_t reads_pipe = 0;  // the pipe that is its standard input, by identity; 0: none
  bool pipe_is_open = false;     // not at its end: there is a writer, or unread data
  std::vector<std::uint64_t> writes_pipes;  // those that are its standard output and error
  std::string command;
};

// The processes of one launch at one moment.
using ProcessTable = std::vector<ProcessFacts>;

// Which processes were sent a signal already, by pid and start time: none gets one twice.
struct Sent {
  std::set<int> signals;
  bool examined = false;  // since, by next_to_stop()
  bool waited = false;    // for its children, at that check
  // To its children. What it starts later (the clean-up of a trap) gets none.
  bool passed_on = false;
};
using SignalsSent = std::map<std::pair<int, std::uint64_t>, Sent>;

// A stop request so far.
struct StopRequest {
  int signal = 0;
  int supervisor = 0;          // the parent of orphans
  std::uint64_t asked_at = 0;  // in the unit of start_time: later children get no signal
  TimePoint began;
  TimePoint now;  // of the table
  SignalsSent sent;
  // Readers of a pipe that are spared, by pid and start time: since when they are at its end.
  std::map<std::pair<int, std::uint64_t>, std::optional<TimePoint>> filters;
};
// After this long a process has begun what the signal makes it do, and read what it was about to
// read.
inline constexpr auto kLookAgainAfter = std::chrono::seconds(1);

struct Delivery {
  int pid = 0;
  std::uint64_t start_time = 0;
  int signal = 0;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// The processes that get the stop signal now: children of those that wait, and what exited
// processes have left running. A rank's first process gets it earlier, without a table. Orphans get
// SIGTERM where they ignore the signal, as background jobs of a shell do SIGINT. `request` records
// them.
std::vector<Delivery> next_to_stop(const ProcessTable& table, StopRequest& request);

// The processes that get `signal` when half of the period is over: every one that had none, except
// readers of what a process of the table still writes. `request` records them too.
std::vector<Delivery> rest_to_stop(const ProcessTable& table, int signal, StopRequest& request);

// The processes that get a forwarded signal (SIGUSR1, SIGUSR2): of each rank the first, from the
// top of its tree, that have a handler for it. Where none has, its default action is what was asked
// for: it goes to the rank's first process or, if that waits, to its children. `ranks`: those that
// are meant; empty: all.
std::vector<Delivery> to_forward(const ProcessTable& table, int signal,
                                 std::span<const LocalRank> ranks = {});
// Whether `ranks` are all, or have this one.
bool includes(std::span<const LocalRank> ranks, LocalRank rank);

// Whether it reads what another process of the table writes, and is not itself the program that the
// signal is meant for (cat data | train): it exits with its pipe.
bool is_filter(const ProcessTable& table, const ProcessFacts& process, int signal);

}  // namespace ddp::core
