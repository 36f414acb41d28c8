// Which processes of a rank a signal goes to. Pure: decides from a look at the processes, which
// launcher/os/process_table.hpp takes.
//
// A rank is often more than one process, and the wrong ones must not get the signal:
//   trainer + data loaders   only the trainer: it finishes its step and saves, with loaders alive
//   sh -c 'train; :'         the trainer too: a shell waits for it and passes nothing on
//   mp.spawn(train)          the trainer too, for the same reason
//   train | tee log          not tee, which has to read what the trainer still writes
// So a stop signal goes to the rank's first process; from one that waits for its children on to
// those it has then; and, once a process has ended, to what it leaves behind. What reads a pipe
// ends with the pipe. Halfway through the grace period everything else gets it (SignalRest).
#pragma once

#include "launcher/core/types.hpp"

#include <cstdint>
#include <map>
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
  bool waits = false;            // a shell, or blocked until a child of its ends
  std::uint64_t caught = 0;      // signals it has a handler for, 1 << (signal - 1)
  std::uint64_t ignored = 0;     // signals it ignores, likewise
  std::uint64_t reads_pipe = 0;  // the pipe that is its standard input, by inode; 0: none
  std::vector<std::uint64_t> writes_pipes;  // those that are its standard output and error
  std::string command;
};

// The processes of one launch at one moment.
using ProcessTable = std::vector<ProcessFacts>;

// Who was sent a signal already, by pid and start time: nobody gets one twice.
struct Sent {
  std::set<int> signals;
  // Its children were looked at then: what it starts later (a trap's clean-up) is left alone.
  bool passed_on = false;
};
using SignalsSent = std::map<std::pair<int, std::uint64_t>, Sent>;

struct Delivery {
  int pid = 0;
  std::uint64_t start_time = 0;
  int signal = 0;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// Those who get the stop signal now: children of those that wait, and what ended processes have
// left behind. `sent` has those who had it; a rank's first process is sent it before anybody looks.
// Orphans, whose parent is `supervisor`, get SIGTERM where they ignore `signal`, as background jobs
// of a shell do SIGINT.
std::vector<Delivery> next_to_stop(const ProcessTable& table, const SignalsSent& sent, int signal,
                                   int supervisor);

// Those who get `signal` when a part of the period is over: everyone who had no such signal.
std::vector<Delivery> rest_to_stop(const ProcessTable& table, const SignalsSent& sent, int signal);

// Those who get a forwarded signal (SIGUSR1, SIGUSR2): of each rank the first, from the top of its
// tree, that have a handler for it. Where none has, its default action is what was asked for, and
// falls on the rank's first process, or in place of one that waits on its children.
std::vector<Delivery> to_forward(const ProcessTable& table, int signal);

// Whether it reads what a process of the table still writes, or wrote: it ends with its pipe.
bool ends_with_pipe(const ProcessTable& table, const ProcessFacts& process, int signal);

}  // namespace ddp::core
