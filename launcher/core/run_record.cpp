#include "launcher/core/run_record.hpp"

#include "common/overloaded.hpp"
#include "common/parse.hpp"
#include "common/signal_name.hpp"

#include <algorithm>
#include <csignal>

namespace ddp::core {
namespace {

using fault::Kind;

// Whether a fault to one rank can make the group fail by another: a group that waits for the struck
// one, or a rank that notices first. What only slows or limits its own rank cannot, unless it is
// the waiting itself that was taken for a failure.
bool reaches_others(Kind kind, const Cause& cause) {
  switch (kind) {
    case Kind::slow:
    case Kind::memory:
    case Kind::file_size:
    case Kind::open_files:
    case Kind::cpu_time:
    case Kind::pin:
    case Kind::hide_device:
    case Kind::spawn_delay:
    case Kind::delay:
      return std::holds_alternative<Hung>(cause);
    default:
      return true;
  }
}

// Whether this is how a worker ends that was struck so.
bool is_end_by(const Strike& strike, const ExitStatus& status) {
  const auto* exited = std::get_if<Exited>(&status);
  const int signal = exited != nullptr ? 0 : std::get<Signaled>(status).signal;
  const auto* number = std::get_if<std::int64_t>(&strike.value);
  switch (strike.kind) {
    case Kind::kill:
      return signal == SIGKILL;
    case Kind::signal:
      return number != nullptr && signal == *number;
    case Kind::exit:
      return exited != nullptr && number != nullptr && exited->code == *number;
    case Kind::segfault:
      return signal == SIGSEGV;
    case Kind::abort:
    case Kind::throw_exception:
      return signal == SIGABRT;
    default:
      return false;
  }
}

// One rank's share of a fault to several.
bool same_strike(const Strike& one, const Strike& other) {
  return one.fault == other.fault && one.occurrence == other.occurrence &&
         one.generation == other.generation;
}

// Of one generation: enough for the table, which tells fewer.
constexpr std::ptrdiff_t kKeptHarmless = 16;

std::optional<std::size_t> fault_behind(const RunRecord& record, const GenerationRecord& generation,
                                        std::optional<LocalRank> blamed) {
  std::optional<std::size_t> own;
  std::optional<std::size_t> other;
  for (std::size_t i = 0; i < record.faults.size(); ++i) {
    const auto& fault = record.faults[i];
    if (fault.strike.generation != generation.generation || !fault.refused.empty() ||
        fault.at > *generation.failed)
      continue;
    if (blamed && fault.strike.local_rank == blamed) own = i;
    if (reaches_others(fault.strike.kind, *generation.cause)) other = i;
  }
  return own ? own : other;
}

}  // namespace

void RunRecord::began(Generation generation) { generations.push_back({.generation = generation}); }

void RunRecord::started(TimePoint now) {
  if (!generations.empty() && !generations.back().first_started)
    generations.back().first_started = now;
}

void RunRecord::stepped(std::int64_t step, TimePoint now) {
  if (generations.empty()) return;
  auto& generation = generations.back();
  if (!generation.first_step) {
    generation.first_step = step;
    generation.first_step_at = now;
  }
  generation.last_step = std::max(generation.last_step.value_or(step), step);
}

void RunRecord::struck(InjectedFault fault) {
  const auto of_now = [&](const InjectedFault& one) {
    return one.strike.generation == fault.strike.generation;
  };
  const auto now_first = std::find_if(faults.begin(), faults.end(), of_now);
  if (faults.end() - now_first >= kKeptHarmless) {
    const auto same = std::find_if(now_first, faults.end(), [&](const InjectedFault& one) {
      return one.strike.fault == fault.strike.fault &&
             one.strike.local_rank == fault.strike.local_rank;
    });
    if (same != faults.end()) {
      faults.erase(same);
      ++forgotten;
    }
  }
  faults.push_back(std::move(fault));
}

void RunRecord::ended(const Verdict& verdict) {
  if (generations.empty()) return;
  auto& generation = generations.back();
  generation.cause = verdict.cause;
  if (auto* hung = generation.cause ? std::get_if<Hung>(&*generation.cause) : nullptr)
    hung->hang.ranks.clear();
  generation.failed = verdict.failed;
  generation.ended = verdict.ended;
  generation.survivors = static_cast<std::int64_t>(verdict.survivors.size());
  const auto blamed = verdict.cause ? blamed_rank(*verdict.cause) : std::nullopt;
  if (blamed) generation.blamed_step = verdict.workers[static_cast<std::size_t>(*blamed)].last_step;

  ended_alike.clear();
  auto behind = fault_behind_last(*this);
  if (behind) *behind = gather_alike(*behind, verdict);
  std::ptrdiff_t index = 0;
  std::ptrdiff_t kept = 0;
  forgotten += static_cast<std::int64_t>(std::erase_if(faults, [&](const InjectedFault& one) {
    const bool to_blame = behind && index == static_cast<std::ptrdiff_t>(*behind);
    ++index;
    return !to_blame && one.strike.generation == generation.generation && ++kept > kKeptHarmless;
  }));
}

std::size_t RunRecord::gather_alike(std::size_t behind, const Verdict& verdict) {
  const InjectedFault cause = faults[behind];
  for (std::size_t i = faults.size(); i-- > 0;) {
    const Strike strike = faults[i].strike;
    if (i == behind || !strike.local_rank || !faults[i].refused.empty() ||
        !same_strike(strike, cause.strike))
      continue;
    const auto& worker = verdict.workers[static_cast<std::size_t>(*strike.local_rank)];
    if (!worker.status || !is_end_by(strike, *worker.status)) continue;
    ended_alike.push_back(*strike.local_rank);
    faults.erase(faults.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < behind) --behind;
  }
  std::sort(ended_alike.begin(), ended_alike.end());
  return behind;
}

std::optional<std::size_t> fault_behind_last(const RunRecord& record) {
  if (record.generations.empty()) return std::nullopt;
  const auto& last = record.generations.back();
  if (!last.cause || !last.failed || std::holds_alternative<StoppedBySignal>(*last.cause))
    return std::nullopt;
  return fault_behind(record, last, blamed_rank(*last.cause));
}

std::vector<Incident> incidents(const RunRecord& record) {
  std::vector<Incident> all;
  for (std::size_t i = 0; i < record.generations.size(); ++i) {
    const auto& generation = record.generations[i];
    if (!generation.cause || !generation.failed ||
        std::holds_alternative<StoppedBySignal>(*generation.cause))
      continue;
    const TimePoint failed = *generation.failed;
    Incident incident{.generation = generation.generation, .cause = *generation.cause};
    const auto blamed = blamed_rank(*generation.cause);
    incident.fault = fault_behind(record, generation, blamed);
    if (blamed) incident.rank = record.first_rank + *blamed;
    incident.step = generation.blamed_step;
    if (incident.fault) incident.detected = failed - record.faults[*incident.fault].at;
    if (generation.ended) incident.down = *generation.ended - failed;
    if (i + 1 < record.generations.size()) {
      const auto& next = record.generations[i + 1];
      if (next.first_started) incident.next_exec = *next.first_started - failed;
      if (next.first_step_at) incident.first_step = *next.first_step_at - failed;
      if (next.first_step && generation.last_step)
        incident.repeated = std::max<std::int64_t>(0, *generation.last_step - *next.first_step + 1);
    }
    all.push_back(std::move(incident));
  }
  return all;
}

std::string cause_name(const Cause& cause) {
  return std::visit(Overloaded{
                        [](const WorkerFailed& failed) -> std::string {
                          if (failed.oom_killed) return "out of memory";
                          if (const auto* exited = std::get_if<ddp::core::Exited>(&failed.status))
                            return "exit " + std::to_string(exited->code);
                          return signal_name(std::get<Signaled>(failed.status).signal);
                        },
                        [](const WorkerNotStarted&) -> std::string { return "not started"; },
                        [](const StoppedBySignal& stopped) { return signal_name(stopped.signal); },
                        [](const ExitedEarly&) -> std::string { return "early exit"; },
                        [](const Hung&) -> std::string { return "hang"; },
                    },
                    cause);
}

bool is_cause_name(std::string_view name) {
  constexpr std::string_view kExit = "exit ";
  if (name.starts_with(kExit)) return bool(parse_integer("", name.substr(kExit.size()), 0, 255));
  if (name.starts_with("SIG")) return parse_signal(name).has_value();
  return name == "out of memory" || name == "not started" || name == "early exit" || name == "hang";
}

}  // namespace ddp::core
