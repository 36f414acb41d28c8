// A group that lives and does not get on: what was missed, where each rank stands, and which is to
// blame.
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

// What a process does, as two looks at its threads a moment apart tell.
enum class Activity {
  unknown,          // not looked at, or /proc does not tell
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
  double cores = 0;          // CPU time of all threads by the time between the looks
  std::string wait_channel;  // what the main thread sleeps in; empty: it runs, or nobody tells
  int threads = 0;
};

struct RankStanding {
  LocalRank local_rank = 0;
  std::optional<std::int64_t> step;  // the last one it told
  std::string phase;                 // X_DDP_PHASE, empty: none was told
  bool started = true;
  bool ready = false;
  bool ended = false;   // left before the hang
  bool behind = false;  // what is missing is missing from this one
  ProcessPicture process{};
};

struct Hang {
  HangKind kind = HangKind::no_progress;
  Nanoseconds limit{};              // the one that was exceeded
  std::vector<RankStanding> ranks;  // of this machine, by local rank
};

// The one rank to blame, none where it cannot be told. A process that cannot go on by itself
// (stopped, uninterruptible) is, if the others could; else the only one that is behind; else the
// only one that computes while all others sleep, or sleeps while all others compute (of three or
// more).
std::optional<LocalRank> blame(const Hang& hang);

}  // namespace ddp::core
