// Which processes of a rank a signal goes to. Pure: decides from a look at the processes, which
// launcher/os/process_table.hpp takes.
//
// A rank is often more than one process, and the wrong ones must not get the signal:
//   trainer + data loaders   only the trainer: it finishes its step and saves, with loaders alive
//   sh -c 'train; :'         the trainer too: a shell waits for it and passes nothing on
//   mp.spawn(train)          the trainer too, for the same reason
//   train | tee log          not tee, which has to read what the trainer still writes
// So a stop signal goes to the rank's first process; from one that waits for its children on to
// those it has then; and, once a process has ended, to what it leaves behind. A look every second
// finds those that their handler has led to wait for their children (Python's at exit), and what
// has read its pipe to the end. Halfway through the grace period everything else gets it.
#pragma once

#include "launcher/core/types.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ddp::core {

// What /proc shows of a process below the supervisor.
struct ProcessFacts {
  int pid = 0;
  int parent = 0;
  int group = 0;                 // its process group
  std::uint64_t start_time = 0;  // with the pid: one process, for ever
  LocalRank local_rank = -1;     // -1: nothing shows whose it is
  Proof proof = Proof::none;
  bool first = false;            // the rank's first process
  bool shell = false;            // passes no signal on, whatever it does
  bool waits = false;            // blocked until a child of its ends
  std::uint64_t caught = 0;      // signals it has a handler for, 1 << (signal - 1)
  std::uint64_t ignored = 0;     // signals it ignores, likewise
  std::uint64_t reads_pipe = 0;  // the pipe that is its standard input, by identity; 0: none
  bool pipe_is_open = false;     // it is not at the pipe's end: there is a writer, or unread data
  std::vector<std::uint64_t> writes_pipes;  // those that are its standard output and error
  std::string command;
};

// The processes of one launch at one moment.
using ProcessTable = std::vector<ProcessFacts>;

// Who was sent a signal already, by pid and start time: no process gets one twice.
struct Sent {
  std::set<int> signals;
  bool looked_at = false;  // since: by next_to_stop()
  bool waited = false;     // for its children, at that look
  // To its children. What it starts later (a trap's clean-up) is left alone.
  bool passed_on = false;
};
using SignalsSent = std::map<std::pair<int, std::uint64_t>, Sent>;

// A stop request, as far as it has come.
struct StopRequest {
  int signal = 0;
  int supervisor = 0;          // the parent of orphans
  std::uint64_t asked_at = 0;  // in the unit of start_time: later children are left alone
  TimePoint began;
  TimePoint now;  // of the look
  SignalsSent sent;
  // Readers of a pipe that are spared, by pid and start time: since when they are at its end.
  std::map<std::pair<int, std::uint64_t>, std::optional<TimePoint>> filters;
};
// After so long a process has done at once what the signal makes it do, and read what it had in
// hand.
inline constexpr auto kLookAgainAfter = std::chrono::seconds(1);

struct Delivery {
  int pid = 0;
  std::uint64_t start_time = 0;
  int signal = 0;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// Those who get the stop signal now: children of those that wait, and what ended processes have
// left behind. A rank's first process is sent it before anybody looks. Orphans get SIGTERM where
// they ignore the signal, as background jobs of a shell do SIGINT. Notes in `request` who gets it.
std::vector<Delivery> next_to_stop(const ProcessTable& table, StopRequest& request);

// Those who get `signal` when a part of the period is over: everyone who had no such signal, but
// for readers of what a process of the table still writes. Notes them too.
std::vector<Delivery> rest_to_stop(const ProcessTable& table, int signal, StopRequest& request);

// Those who get a forwarded signal (SIGUSR1, SIGUSR2): of each rank the first, from the top of its
// tree, that have a handler for it. Where none has, its default action is what was asked for, and
// falls on the rank's first process, or in place of one that waits on its children.
std::vector<Delivery> to_forward(const ProcessTable& table, int signal);

// Whether it reads what another process of the table writes, and is not itself the program that the
// signal is meant for (cat data | train): it ends with its pipe.
bool is_filter(const ProcessTable& table, const ProcessFacts& process, int signal);

}  // namespace ddp::core
