#include "launcher/core/faults/attribution.hpp"

#include "launcher/core/faults/traits.hpp"

#include <algorithm>
#include <csignal>
#include <variant>

namespace ddp::core {
namespace {

// How well a fault explains a failure.
enum class Fit { none, other_rank, own_rank, exact };

int signal_of(const ExitStatus& status) {
  const auto* signaled = std::get_if<Signaled>(&status);
  return signaled != nullptr ? signaled->signal : 0;
}

// As a program exits that has noticed an error: by itself.
bool gave_up(const ExitStatus& status) {
  const int signal = signal_of(status);
  return signal == 0 || signal == SIGABRT;
}

bool may_exit_so(const Consequences& may, const ExitStatus& status) {
  if (succeeded(status)) return may.exit_0;
  const int signal = signal_of(status);
  if (signal == 0) return may.exit;
  return std::find(may.signals.begin(), may.signals.end(), signal) != may.signals.end();
}

bool peers_may_exit(const Injection& injection, const Verdict& verdict) {
  switch (traits(injection.kind).peers) {
    case PeersExit::never:
      return false;
    case PeersExit::if_rank: {
      const auto& own = verdict.workers[static_cast<std::size_t>(*injection.local_rank)];
      return own.status && !own.stopped_by_launcher;
    }
    case PeersExit::possible:
      return true;
  }
  return false;
}

Fit fit_to_exit(const Injection& injection, bool own_rank, const Verdict& verdict) {
  const ExitStatus status = exit_status_of(*verdict.cause).value();
  if (own_rank) {
    if (is_end_by(injection, status)) return Fit::exact;
    const Consequences& may = traits(injection.kind).may;
    const bool by_memory = may.oom_kill && is_oom_kill(*verdict.cause);
    return by_memory || may_exit_so(may, status) ? Fit::own_rank : Fit::none;
  }
  const bool failed_by_itself = gave_up(status) && !succeeded(status);
  return failed_by_itself && peers_may_exit(injection, verdict) ? Fit::other_rank : Fit::none;
}

Fit fit_to_hang(const FaultTraits& row, bool own_rank) {
  if (row.hang == HangBehind::never) return Fit::none;
  if (!own_rank) return Fit::other_rank;
  return row.hang == HangBehind::certain ? Fit::exact : Fit::own_rank;
}

Fit fit(const InjectedFault& fault, const Verdict& verdict) {
  const Injection& injection = fault.injection;
  const FaultTraits& row = traits(injection.kind);
  if (!fault.refused.empty() || fault.at > *verdict.failed) return Fit::none;
  auto over = fault.over;
  if (const auto* late = std::get_if<Nanoseconds>(&injection.value); late && row.lasts_for_value)
    over = fault.at + *late;
  if (over && *verdict.failed > *over + kAftermath) return Fit::none;
  const auto rank = root_cause_rank(*verdict.cause);
  const bool own_rank = rank.has_value() && injection.local_rank == rank;
  switch (traits(*verdict.cause).symptom) {
    case Symptom::none:
      return Fit::none;
    case Symptom::exit:
      return fit_to_exit(injection, own_rank, verdict);
    case Symptom::not_started:
      return own_rank && row.not_started ? Fit::exact : Fit::none;
    case Symptom::hang:
      return fit_to_hang(row, own_rank);
  }
  return Fit::none;
}

}  // namespace

std::optional<std::size_t> fault_behind(const std::vector<InjectedFault>& faults,
                                        const Verdict& verdict) {
  std::optional<std::size_t> behind;
  Fit best = Fit::none;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const Fit one = fit(faults[i], verdict);
    if (one == Fit::none || one < best) continue;
    best = one;
    behind = i;
  }
  return behind;
}

bool is_end_by(const Injection& injection, const ExitStatus& status) {
  const FaultTraits& row = traits(injection.kind);
  const auto* exited = std::get_if<Exited>(&status);
  const auto* number = std::get_if<std::int64_t>(&injection.value);
  switch (row.exit) {
    case FaultExit::none:
      return false;
    case FaultExit::signal:
      return signal_of(status) == row.signal;
    case FaultExit::value_signal:
      return number != nullptr && signal_of(status) == *number;
    case FaultExit::value_code:
      return exited != nullptr && number != nullptr && exited->code == *number;
  }
  return false;
}

}  // namespace ddp::core
