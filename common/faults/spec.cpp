#include "common/faults/spec.hpp"

#include "common/parse.hpp"
#include "common/signal_name.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace ddp::fault {
namespace {

template <class... W>
constexpr unsigned set(W... words) {
  return ((1u << static_cast<unsigned>(words)) | ...);
}

constexpr unsigned kMoments =
    set(Word::rank, Word::step, Word::phase, Word::after, Word::ready, Word::line, Word::gen,
        Word::every, Word::mtbf, Word::times, Word::seed);
constexpr unsigned kLasting = kMoments | set(Word::lasts);
constexpr unsigned kStart = set(Word::rank, Word::gen, Word::times, Word::seed);
// The first worker that reaches the moment triggers it, and it ends the launcher: once is all.
constexpr unsigned kLauncher =
    set(Word::step, Word::phase, Word::after, Word::line, Word::gen, Word::seed);
constexpr unsigned kInside =
    set(Word::rank, Word::step, Word::gen, Word::every, Word::mtbf, Word::times, Word::seed);
constexpr unsigned kChoosing = kInside | set(Word::choice);

// clang-format off
constexpr KindInfo kKinds[] = {
    {Kind::kill, "kill", Side::outside, ValueType::none, false, kMoments, "SIGKILL"},
    {Kind::signal, "signal", Side::outside, ValueType::signal, true, kMoments, "any signal"},
    {Kind::stop, "stop", Side::outside, ValueType::none, false, kLasting, "stopped, for a time or indefinitely: a hang"},
    {Kind::slow, "slow", Side::outside, ValueType::fraction, true, kLasting, "slowed to a fraction of its speed: a straggler"},
    {Kind::memory, "memory", Side::outside, ValueType::bytes, true, kLasting, "address space limited"},
    {Kind::file_size, "file-size", Side::outside, ValueType::bytes, true, kLasting, "no file may grow beyond this: a full disk"},
    {Kind::open_files, "open-files", Side::outside, ValueType::count, true, kLasting, "descriptors limited"},
    {Kind::cpu_time, "cpu-time", Side::outside, ValueType::seconds, true, kLasting, "SIGXCPU after so many seconds of CPU time"},
    {Kind::pin, "pin", Side::outside, ValueType::core, true, kLasting, "all its threads on one core"},
    {Kind::block_output, "block-output", Side::outside, ValueType::none, false, kLasting, "its stdout and stderr are not read"},
    {Kind::hide_device, "hide-device", Side::at_spawn, ValueType::none, false, kStart, "starts with no visible device"},
    {Kind::spawn_fail, "spawn-fail", Side::at_spawn, ValueType::errnum, false, kStart, "the system refuses to start it"},
    {Kind::spawn_delay, "spawn-delay", Side::at_spawn, ValueType::duration, true, kStart, "is started late"},
    {Kind::port_taken, "port-taken", Side::at_begin, ValueType::none, false, set(Word::gen, Word::times), "MASTER_PORT is in use by another process"},
    {Kind::kill_supervisor, "kill-supervisor", Side::launcher, ValueType::none, false, kLauncher, "SIGKILL to the supervisor"},
    {Kind::kill_keeper, "kill-keeper", Side::launcher, ValueType::none, false, kLauncher, "SIGKILL to the keeper"},
    {Kind::exit, "exit", Side::worker, ValueType::code, true, kInside, "exits with this code"},
    {Kind::throw_exception, "throw", Side::worker, ValueType::none, false, kInside, "throws an exception that is not caught"},
    {Kind::segfault, "segfault", Side::worker, ValueType::none, false, kInside, "writes through a null pointer"},
    {Kind::abort, "abort", Side::worker, ValueType::none, false, kInside, "calls abort()"},
    {Kind::delay, "delay", Side::worker, ValueType::duration, true, kInside, "sleeps before the step"},
    {Kind::skip_allreduce, "skip-allreduce", Side::worker, ValueType::none, false, kInside, "skips one all-reduce: a real deadlock"},
    {Kind::die_in_allreduce, "die-in-allreduce", Side::worker, ValueType::none, false, kInside, "dies after the all-reduce was enqueued, before it completed"},
    {Kind::nan, "nan", Side::worker, ValueType::none, false, kChoosing, "one element of its gradient becomes NaN"},
    {Kind::bitflip, "bitflip", Side::worker, ValueType::bit, false, kChoosing, "one bit of one element of its gradient flips"},
    {Kind::corrupt_checkpoint, "corrupt-checkpoint", Side::worker, ValueType::none, false, kChoosing, "one byte of the checkpoint changes while it is written"},
    {Kind::cut_checkpoint, "cut-checkpoint", Side::worker, ValueType::none, false, kInside, "dies halfway through writing the checkpoint"},
};
// clang-format on

consteval bool is_in_order() {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (kKinds[i].kind != static_cast<Kind>(i)) return false;
  }
  return std::size(kKinds) == kKindCount;
}
static_assert(is_in_order(), "one row per kind, in the order of the enumeration");

constexpr std::array<const char*, kWords> kWordNames = {"rank", "step", "phase", "after", "ready",
                                                        "line", "gen",  "every", "mtbf",  "times",
                                                        "for",  "seed", "choice"};

std::string text_of(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return std::string(buffer, end.ptr);
}

std::string bytes_text(std::int64_t number) {
  constexpr const char* kSuffix[] = {"", "K", "M", "G", "T"};
  std::size_t power = 0;
  while (number != 0 && number % 1024 == 0 && power + 1 < std::size(kSuffix)) {
    number /= 1024;
    ++power;
  }
  return std::to_string(number) + kSuffix[power];
}

std::string text_of(const std::vector<Range>& ranges) {
  std::string text;
  for (const auto& range : ranges) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.first);
    if (range.last != range.first) text += "-" + std::to_string(range.last);
  }
  return text;
}

std::string text_of(const Interval& interval) {
  if (const auto* steps = std::get_if<std::int64_t>(&interval))
    return std::to_string(*steps) + (*steps == 1 ? "step" : "steps");
  return format_duration(std::get<Nanoseconds>(interval));
}

// Without quotes where the grammar allows it; in quotes, a quote inside is doubled.
std::string quoted(const std::string& text) {
  const bool bare = !text.empty() && text.find_first_of(" \t,'\"@=") == std::string::npos;
  if (bare) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string value_text(const Spec& spec) {
  if (const auto* number = std::get_if<std::int64_t>(&spec.value)) {
    switch (info(spec.kind).type) {
      case ValueType::signal: {
        const std::string name = signal_name(static_cast<int>(*number));
        return name.starts_with("SIG") ? name.substr(3) : std::to_string(*number);
      }
      case ValueType::errnum: {
        const char* const name = ::strerrorname_np(static_cast<int>(*number));
        return name != nullptr ? name : std::to_string(*number);
      }
      default:
        return std::to_string(*number);
    }
  }
  if (const auto* fraction = std::get_if<double>(&spec.value)) return text_of(*fraction);
  if (const auto* duration = std::get_if<Nanoseconds>(&spec.value))
    return format_duration(*duration);
  if (const auto* amount = std::get_if<Amount>(&spec.value)) {
    return (amount->relative ? "+" : "") + (info(spec.kind).type == ValueType::bytes
                                                ? bytes_text(amount->number)
                                                : std::to_string(amount->number));
  }
  return {};
}

}  // namespace

std::span<const KindInfo> kinds() { return kKinds; }

const KindInfo& info(Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

const char* name_of(Word word) { return kWordNames[static_cast<std::size_t>(word)]; }

bool takes(Kind kind, Word word) { return (info(kind).words & set(word)) != 0; }

bool Spec::in_generation(std::int64_t generation) const {
  return generations.empty() ||
         std::any_of(generations.begin(), generations.end(), [&](const Range& range) {
           return generation >= range.first && generation <= range.last;
         });
}

bool Spec::addresses(int rank) const {
  return ranks.mode != Ranks::Mode::listed ||
         std::any_of(ranks.listed.begin(), ranks.listed.end(),
                     [&](const Range& range) { return rank >= range.first && rank <= range.last; });
}

std::string format(const Spec& spec) {
  const auto& row = info(spec.kind);
  std::string text = row.name;
  if (const std::string value = value_text(spec); !value.empty()) text += "=" + value;

  char separator = '@';
  const auto add = [&](Word word, const std::string& value) {
    text += separator;
    separator = ',';
    text += name_of(word);
    text += "=" + value;
  };
  if (row.words & set(Word::rank)) {
    using Mode = Ranks::Mode;
    add(Word::rank, spec.ranks.mode == Mode::any   ? "any"
                    : spec.ranks.mode == Mode::all ? "all"
                                                   : text_of(spec.ranks.listed));
  }
  if (spec.step) add(Word::step, text_of(std::vector<Range>{*spec.step}));
  if (spec.phase) add(Word::phase, quoted(*spec.phase));
  if (spec.after) add(Word::after, format_duration(*spec.after));
  if (spec.ready) add(Word::ready, format_duration(*spec.ready));
  if (spec.line) add(Word::line, quoted(*spec.line));
  if (!spec.generations.empty()) add(Word::gen, text_of(spec.generations));
  if (spec.every) add(Word::every, text_of(*spec.every));
  if (spec.mtbf) add(Word::mtbf, text_of(*spec.mtbf));
  if (spec.times) add(Word::times, std::to_string(*spec.times));
  if (spec.lasts) add(Word::lasts, format_duration(*spec.lasts));
  if (spec.seed) add(Word::seed, std::to_string(*spec.seed));
  if (spec.choice) add(Word::choice, std::to_string(*spec.choice));
  return text;
}

}  // namespace ddp::fault
