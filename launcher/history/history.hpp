// Room: launcher/history. A run read back from its events.jsonl.
// Includes: common, launcher/core, launcher/core/progress, launcher/events. Included by:
// launcher/page, launcher/trace.
//
// What a run was, as values. Times are those of the machine's monotonic clock. Every list is
// bounded, however long the run: what is thinned out or dropped says so.
#pragma once

#include "launcher/core/progress/goodput.hpp"
#include "launcher/core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ddp::history {

struct RunFacts {
  std::string run_id;
  int nproc = 0;
  int nnodes = 1;
  int first_rank = 0;
  std::string command;  // as typed into a shell; empty: not recorded
  std::string version;
  std::string host;
  std::string wall;  // when it began, UTC
};

// One rank in one attempt.
struct RankSpan {
  int rank = 0;  // global
  std::int64_t pid = 0;
  core::TimePoint spawned;
  std::optional<core::TimePoint> ready;
  std::optional<core::TimePoint> exited;
  std::optional<int> code;    // one of the two, once it has exited
  std::optional<int> signal;  //
  bool oom_killed = false;
};

// How far the group was.
struct ProgressPoint {
  std::int64_t step = 0;
  core::TimePoint at;
  std::optional<double> loss;  // may be NaN or infinite
};

struct Generation {
  std::int64_t number = 0;
  core::TimePoint began;
  std::optional<core::TimePoint> running;   // every rank is started
  std::optional<core::TimePoint> ready;     // the last rank, before the first step
  std::optional<core::TimePoint> teardown;  // began
  std::optional<core::TimePoint> gone;      // nothing of it is left
  std::optional<core::TimePoint> ended;
  std::optional<int> exit_code;
  int root_cause = -1;                // rank
  std::optional<std::int64_t> first;  // its first step
  std::vector<RankSpan> ranks;        // in the order of their start
  std::vector<ProgressPoint> points;  // by time; thinned out
};

struct Fault {
  core::TimePoint at;
  std::int64_t generation = 0;
  int rank = -1;
  std::string text;     // its replay
  std::string refused;  // why the system refused it; empty: it was injected
  std::optional<core::TimePoint> undone;
};

struct Failure {
  std::int64_t generation = 0;
  int rank = -1;
  std::string cause;
  std::string fault;  // behind it; empty: none was injected
  std::optional<std::int64_t> step;
  std::optional<core::Nanoseconds> detected, down, next_exec, first_step;
  std::optional<std::int64_t> repeated;  // steps
  std::string exception;
  std::string traceback;
  std::string diagnosis;  // the name of a signature; this and the next are empty where unknown
  std::string diagnosis_cause;
  std::string remedy;
  std::string evidence;
};

struct Straggler {
  core::TimePoint at;
  std::int64_t generation = 0;
  int rank = -1;
  core::Nanoseconds own{};
  core::Nanoseconds median{};
  double factor = 0;
  std::int64_t steps = 0;
};

struct Hang {
  core::TimePoint at;
  std::int64_t generation = 0;
  std::string kind;
  core::Nanoseconds limit{};
  std::string behind;  // ranks
};

struct Expectation {
  std::string name, expected, measured;
  bool met = false;
};

// Anything else that a reader of the run should know.
struct Note {
  core::TimePoint at;
  std::int64_t generation = 0;
  int rank = -1;
  std::string text;
};

struct LastLines {
  std::int64_t generation = 0;
  int rank = 0;
  std::vector<std::string> lines;
};

struct History {
  RunFacts run;
  core::TimePoint began;
  core::TimePoint end;           // of the run, or the last event of one that has not finished
  bool finished = false;         // a launcher was killed or still runs
  std::optional<int> exit_code;  // once it has finished
  std::deque<Generation> generations;
  std::vector<Fault> faults;
  std::vector<Failure> failures;
  std::vector<Straggler> stragglers;
  std::vector<Hang> hangs;
  std::vector<Expectation> expectations;
  std::vector<Note> notes;
  std::vector<LastLines> last_lines;
  std::optional<core::Goodput> goodput;           // computed from the events
  std::optional<core::Goodput> recorded_goodput;  // by the launcher, at the end
  std::size_t events = 0;
  std::size_t unreadable = 0;            // lines
  std::int64_t dropped_generations = 0;  // the oldest
  std::size_t dropped = 0;               // of the lists but generations
};

// The attempt's steps from this time on were repeated by a later one. None: all of them lasted.
// `index` is that of generations.
std::optional<core::TimePoint> repeated_from(const History& history, std::size_t index);

}  // namespace ddp::history
