#include "launcher/core/faults/attribution.hpp"

#include "common/overloaded.hpp"

#include <csignal>
#include <variant>

namespace ddp::core {
namespace {

using fault::Kind;

// How well a fault explains a failure.
enum class Fit { none, other_rank, own_rank, exact };

int signal_of(const ExitStatus& status) {
  const auto* signaled = std::get_if<Signaled>(&status);
  return signaled != nullptr ? signaled->signal : 0;
}

// As a program ends that has noticed that something is wrong: by itself.
bool gave_up(const ExitStatus& status) {
  const int signal = signal_of(status);
  return signal == 0 || signal == SIGABRT;
}

// Whether a rank may end so in consequence of a fault at itself that is not simply its end.
bool may_end(Kind kind, const ExitStatus& status) {
  const int signal = signal_of(status);
  switch (kind) {
    case Kind::kill:
    case Kind::exit:
    case Kind::spawn_fail:
    case Kind::port_taken:
    case Kind::kill_supervisor:
    case Kind::kill_keeper:
      return false;
    case Kind::signal:  // it has a handler
    case Kind::throw_exception:
    case Kind::segfault:
    case Kind::abort:
      return signal == 0;
    case Kind::memory:
      return gave_up(status) || signal == SIGSEGV || signal == SIGBUS;
    case Kind::cpu_time:  // the hard limit
      return gave_up(status) || signal == SIGKILL;
    case Kind::hide_device:
      return gave_up(status) || signal == SIGSEGV;
    default:
      return gave_up(status);
  }
}

// Whether other ranks give up in consequence of it.
bool upsets_peers(const Injection& injection, const Verdict& verdict) {
  switch (injection.kind) {
    case Kind::signal: {  // one that it survives is nobody's affair
      const auto& injected = verdict.workers[static_cast<std::size_t>(*injection.local_rank)];
      return injected.status && !injected.stopped_by_launcher;
    }
    case Kind::kill:
    case Kind::stop:
    case Kind::block_output:
    case Kind::spawn_delay:
    case Kind::port_taken:
    case Kind::exit:
    case Kind::throw_exception:
    case Kind::segfault:
    case Kind::abort:
    case Kind::delay:
    case Kind::skip_allreduce:
    case Kind::die_in_allreduce:
    case Kind::nan:
    case Kind::bitflip:
    case Kind::cut_checkpoint:
      return true;
    default:  // slow, or limited, alone
      return false;
  }
}

// Whether a group may hang with a rank that was struck so.
bool holds_up(Kind kind) {
  switch (kind) {
    case Kind::kill:
    case Kind::throw_exception:
    case Kind::segfault:
    case Kind::abort:
    case Kind::spawn_fail:
      return false;
    default:
      return true;
  }
}

Fit fit(const InjectedFault& fault, const Verdict& verdict) {
  const Injection& injection = fault.injection;
  if (!fault.refused.empty() || fault.at > *verdict.failed) return Fit::none;
  auto over = fault.over;
  if (injection.kind == Kind::delay || injection.kind == Kind::spawn_delay) {
    if (const auto* late = std::get_if<Nanoseconds>(&injection.value)) over = fault.at + *late;
  }
  if (over && *verdict.failed > *over + kAftermath) return Fit::none;
  const auto is_own = [&](std::optional<LocalRank> rank) {
    return rank.has_value() && injection.local_rank == rank;
  };
  return std::visit(
      Overloaded{
          [&](const WorkerFailed& failed) {
            if (is_own(failed.local_rank)) {
              if (is_end_by(injection, failed.status)) return Fit::exact;
              const bool by_memory = failed.oom_killed && injection.kind == Kind::memory;
              return by_memory || may_end(injection.kind, failed.status) ? Fit::own_rank
                                                                         : Fit::none;
            }
            return gave_up(failed.status) && upsets_peers(injection, verdict) ? Fit::other_rank
                                                                              : Fit::none;
          },
          [&](const WorkerNotStarted& failed) {
            return is_own(failed.local_rank) && injection.kind == Kind::spawn_fail ? Fit::exact
                                                                                   : Fit::none;
          },
          [](const StoppedBySignal&) { return Fit::none; },
          [&](const ExitedEarly& early) {
            if (!is_own(early.local_rank)) return Fit::none;
            if (is_end_by(injection, Exited{0})) return Fit::exact;
            return injection.kind == Kind::signal ? Fit::own_rank : Fit::none;
          },
          [&](const Hung& hung) {
            if (!holds_up(injection.kind)) return Fit::none;
            if (!is_own(hung.local_rank)) return Fit::other_rank;
            return injection.kind == Kind::stop ? Fit::exact : Fit::own_rank;
          },
      },
      *verdict.cause);
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
  const auto* exited = std::get_if<Exited>(&status);
  const int signal = signal_of(status);
  const auto* number = std::get_if<std::int64_t>(&injection.value);
  switch (injection.kind) {
    case Kind::kill:
    case Kind::die_in_allreduce:
    case Kind::cut_checkpoint:
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
    case Kind::cpu_time:
      return signal == SIGXCPU;
    case Kind::file_size:
      return signal == SIGXFSZ;
    default:
      return false;
  }
}

}  // namespace ddp::core
