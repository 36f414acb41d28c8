// Room: common/faults. The grammar of faults, read by the launcher and by workers: specs, their
// values, their schedule, and the worker's part of a plan.
// Includes: common. Included by: common/client, launcher/core, launcher/core/faults,
// launcher/core/record, launcher/diagnosis, launcher/faults, launcher/os, launcher/report.
//
// One fault as a value: what is injected, when, and into which ranks. docs/faults.md has the
// grammar:
//
//     kill@step=50,rank=2        stop@ready=1s,for=5s,rank=any        exit=3@step=7,rank=1
//
// Launcher and worker share it: the launcher injects what can be done from outside and passes the
// rest to the workers (common/faults/worker_faults.hpp).
#pragma once

#include "common/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ddp::fault {

using Nanoseconds = std::chrono::nanoseconds;

enum class Kind {
  // From outside, to a running worker.
  kill,
  signal,
  stop,
  slow,
  memory,
  file_size,
  open_files,
  cpu_time,
  pin,
  block_output,
  // When a worker or an attempt is started.
  hide_device,
  spawn_fail,
  spawn_delay,
  port_taken,
  // To the launcher itself.
  kill_supervisor,
  kill_keeper,
  // Inside the worker, with its help.
  exit,
  throw_exception,
  segfault,
  abort,
  delay,
  skip_allreduce,
  die_in_allreduce,
  nan,
  bitflip,
  corrupt_checkpoint,
  cut_checkpoint,
};
inline constexpr std::size_t kKindCount = static_cast<std::size_t>(Kind::cut_checkpoint) + 1;

// Which process injects a fault, and into which.
enum class Side {
  outside,   // the launcher, to a running worker
  at_spawn,  // the launcher, when it starts a worker
  at_begin,  // the launcher, when an attempt begins
  launcher,  // the launcher, to itself
  worker,    // the worker, to itself
};

enum class ValueType {
  none,
  signal,
  code,
  duration,
  fraction,
  bytes,
  count,
  seconds,
  core,
  errnum,
  bit
};

// A limit: absolute, or this much more than is in use when it is injected ("+64M").
struct Amount {
  std::int64_t number = 0;
  bool relative = false;
  friend bool operator==(const Amount&, const Amount&) = default;
};

// What follows the fault's '=': by ValueType a signal, exit code, core, errno or bit number; a
// fraction; a duration; a limit.
using Value = std::variant<std::monostate, std::int64_t, double, Nanoseconds, Amount>;

struct Range {  // both ends included
  std::int64_t first = 0;
  std::int64_t last = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

struct Ranks {
  enum class Mode { listed, all, any };
  Mode mode = Mode::any;      // any: one rank, drawn from the seed for each occurrence
  std::vector<Range> listed;  // ascending, not adjacent; empty unless mode is listed
  friend bool operator==(const Ranks&, const Ranks&) = default;
};

// every= and mtbf=: in steps, or in time during which the group is up.
using Interval = std::variant<std::int64_t, Nanoseconds>;

struct Spec {
  Kind kind = Kind::kill;
  Value value;
  Ranks ranks;
  std::optional<Range> step;  // reached; of a range, one step drawn from the seed
  std::optional<std::string> phase;
  std::optional<Nanoseconds> after;  // since the worker was started
  std::optional<Nanoseconds> ready;  // since its READY=1
  std::optional<std::string> line;   // extended regular expression, as grep -E
  std::vector<Range> generations;    // empty: any
  std::optional<Interval> every;
  std::optional<Interval> mtbf;
  std::optional<std::int64_t> times;  // none: once, or without limit with every or mtbf
  std::optional<Nanoseconds> lasts;   // "for": how long until it is undone; none: never
  std::optional<std::uint64_t> seed;  // none: the plan's
  // Which element, bit or byte, as a number that the worker reduces to what it has; none: drawn
  // from the seed. A replay has what was drawn.
  std::optional<std::uint64_t> choice;
  friend bool operator==(const Spec&, const Spec&) = default;

  bool periodic() const { return every.has_value() || mtbf.has_value(); }
  bool in_generation(std::int64_t generation) const;
  bool addresses(int rank) const;  // true for Mode::any too: it may be drawn
};

struct KindInfo {
  Kind kind;
  const char* name;  // as it is typed
  Side side;
  ValueType type;
  bool value_required;
  unsigned words;  // allowed after the '@': a set of 1u << Word
  const char* what;
};

// In the order of the documentation.
std::span<const KindInfo> kinds();
const KindInfo& info(Kind kind);

enum class Word {
  rank,
  step,
  phase,
  after,
  ready,
  line,
  gen,
  every,
  mtbf,
  times,
  lasts,
  seed,
  choice
};
inline constexpr int kWords = 13;
const char* name_of(Word word);
bool takes(Kind kind, Word word);

// One word of a spec with its value, before it is parsed.
struct RawWord {
  std::string name;
  std::optional<std::string> value;
};

// Which word is wrong (0: the fault itself), whether its name or its value, and why.
struct BuildError {
  std::size_t word = 0;
  bool in_value = false;
  std::string message;
};

// The meaning of a spec's words: `words[0]` is the fault, the rest follows in any order. With
// `world_size` > 0 ranks are checked against it.
std::variant<Spec, BuildError> build(std::span<const RawWord> words, int world_size = 0);

// Text -> spec. The error begins with "column <n>: ", n counted from 1.
Result<Spec> parse(std::string_view text, int world_size = 0);

// Spec -> text in canonical form: parse(format(s)) == s, and format(parse(t)) is the same for all
// ways to write t.
std::string format(const Spec& spec);

}  // namespace ddp::fault
