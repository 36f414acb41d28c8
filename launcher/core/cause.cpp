#include "launcher/core/cause.hpp"

#include "common/overloaded.hpp"
#include "common/parse.hpp"
#include "common/signal_name.hpp"
#include "launcher/core/exit_code.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace ddp::core {
namespace {

constexpr const char* kOutOfMemory = "out of memory";
const std::string kExit = "exit ";

// The worker that exited early succeeded, the group did not. 1 is the code of a shell's `false`.
constexpr int kExitedEarlyCode = 1;

// One row per cause, in the order of the variant.
constexpr CauseTraits kTraits[] = {
    /* WorkerFailed     */ {.symptom = Symptom::exit},
    /* WorkerNotStarted */ {.name = "not started", .symptom = Symptom::not_started},
    /* StoppedBySignal  */ {.failure = false},
    /* ExitedEarly      */
    {.name = "early exit", .exit_code = kExitedEarlyCode, .symptom = Symptom::exit},
    /* Hung             */ {.name = "hang", .exit_code = kHung, .symptom = Symptom::hang},
    /* MachinesDisagree */ {.name = "machines disagree", .exit_code = kUsage},
    // Its code is the run's only where the run's time is up before the restart.
    /* RestartedByRequest */ {.failure = false, .exit_code = kHung},
};
static_assert(std::size(kTraits) == std::variant_size_v<Cause>);

}  // namespace

const CauseTraits& traits(const Cause& cause) { return kTraits[cause.index()]; }

std::string cause_name(const Cause& cause) {
  return std::visit(Overloaded{
                        [](const WorkerFailed& failed) {
                          if (failed.oom_killed) return std::string(kOutOfMemory);
                          if (const auto* exited = std::get_if<Exited>(&failed.status))
                            return kExit + std::to_string(exited->code);
                          return signal_name(std::get<Signaled>(failed.status).signal);
                        },
                        [](const StoppedBySignal& stopped) { return signal_name(stopped.signal); },
                        [](const RestartedByRequest&) { return std::string("restart requested"); },
                        [&](const auto&) { return std::string(traits(cause).name); },
                    },
                    cause);
}

bool is_cause_name(std::string_view name) {
  if (name.starts_with(kExit)) {
    const std::string_view number = name.substr(kExit.size());
    const auto code = parse_integer("", number, 0, 255);
    return code && number == std::to_string(*code);
  }
  if (name.starts_with("SIG")) return parse_signal(name).has_value();
  return name == kOutOfMemory ||
         (!name.empty() && std::any_of(std::begin(kTraits), std::end(kTraits),
                                       [&](const auto& row) { return row.name == name; }));
}

std::string cause_names() {
  std::vector<std::string> names{"a signal such as SIGKILL", "exit 0 to exit 255", kOutOfMemory};
  for (const auto& row : kTraits) {
    if (!row.name.empty()) names.emplace_back(row.name);
  }
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + names[i];
  return text;
}

int exit_code_of(const Cause& cause, bool all_exited_0) {
  return std::visit(Overloaded{
                        [](const WorkerFailed& failed) { return exit_code_of(failed.status); },
                        [](const WorkerNotStarted& failed) { return exit_code_of(failed.error); },
                        [&](const StoppedBySignal& stopped) {
                          const int by_signal = kSignalBase + stopped.signal;
                          return all_exited_0 ? stopped.graceful_exit_code.value_or(by_signal)
                                              : by_signal;
                        },
                        [&](const auto&) { return traits(cause).exit_code.value_or(1); },
                    },
                    cause);
}

std::optional<LocalRank> root_cause_rank(const Cause& cause) {
  return std::visit(
      [](const auto& one) -> std::optional<LocalRank> {
        if constexpr (requires { one.local_rank; }) {
          return one.local_rank;
        } else {
          return std::nullopt;
        }
      },
      cause);
}

std::optional<ExitStatus> exit_status_of(const Cause& cause) {
  if (traits(cause).symptom != Symptom::exit) return std::nullopt;
  const auto* failed = std::get_if<WorkerFailed>(&cause);
  return failed != nullptr ? failed->status : ExitStatus(Exited{0});
}

bool is_oom_kill(const Cause& cause) {
  const auto* failed = std::get_if<WorkerFailed>(&cause);
  return failed != nullptr && failed->oom_killed;
}

std::optional<Nanoseconds> standstill(const Cause& cause) {
  const auto* hung = std::get_if<Hung>(&cause);
  return hung != nullptr ? std::optional(hung->hang.limit) : std::nullopt;
}

}  // namespace ddp::core
