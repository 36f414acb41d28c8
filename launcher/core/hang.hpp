// A group that is alive and makes no progress: what is missing, the state of each rank, and which
// is the root cause.
#pragma once

#include "launcher/core/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddp::core {

enum class HangKind {
  not_ready,     // READY=1 of a rank is missing
  no_heartbeat,  // WATCHDOG=1 of a rank is missing
  no_progress,   // no new step
  silent,        // a rank writes nothing
  run_timeout,   // the whole run took too long
};
// "not_ready" …, as events.jsonl has it.
const char* name_of(HangKind kind);

// What a process does, from two samples of its threads a moment apart.
enum class Activity {
  unknown,          // not examined, or /proc does not show it
  running,          // a thread computes, or waits for a core to do so
  sleeping,         // every thread waits for something
  uninterruptible,  // its main thread waits in a way that no signal ends (state D)
  stopped,          // by a signal or a tracer (state T or t)
  ended,
};
const char* name_of(Activity activity);

struct ProcessPicture {
  Activity activity = Activity::unknown;
  char state = '?';          // of the main thread, as /proc/<pid>/stat
  double cores = 0;          // CPU time of all threads by the time between the samples
  std::string wait_channel;  // what the main thread sleeps in; empty: it runs, or unknown
  int threads = 0;
};

struct RankStanding {
  LocalRank local_rank = 0;
  std::optional<std::int64_t> step;  // the last one that it reported
  std::string phase;                 // X_DDP_PHASE, empty: none
  bool started = true;
  bool ready = false;
  bool ended = false;   // exited before the hang
  bool behind = false;  // what is missing was due from this rank
  ProcessPicture process{};
};

struct Hang {
  HangKind kind = HangKind::no_progress;
  Nanoseconds limit{};              // the one that was exceeded
  std::vector<RankStanding> ranks;  // of this machine, by local rank
};

// The one rank that is the root cause, none where that is unknown. A process that cannot continue
// by itself (stopped, uninterruptible), if the others could; else the only one that is behind; else
// the only one that computes while all others sleep, or sleeps while all others compute (of three
// or more).
std::optional<LocalRank> root_cause_rank(const Hang& hang);

}  // namespace ddp::core
