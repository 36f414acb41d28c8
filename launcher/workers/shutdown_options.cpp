// How a group is stopped: which processes get which signal, and how long that may take.
#include "launcher/workers/options.hpp"

#include <string_view>

namespace ddp {
namespace {

constexpr FlagSpec kFlags[] = {
    {"--early-exit", "ok|fail|'fail after TIME'", ValueKind::text, "ok", kFailureSection,
     "whether a rank that exits 0 while others still run has failed: never, immediately, or if "
     "they still run after TIME"},
    {"--shutdown-timeout,--grace-period", "TIME", ValueKind::duration, "30s", kFailureSection,
     "grace period from the stop signal to SIGKILL, for the whole group and everything it started"},
    {"--linger-timeout", "TIME", ValueKind::duration, "5s", kFailureSection,
     "linger period: after success, how long processes that the ranks left running may take to "
     "exit; 0: none"},
    {"--stop-signal", "SIGNAL", ValueKind::text, "TERM; INT after Ctrl-C", kFailureSection,
     "the signal that asks a rank to stop"},
    {"--stop-signal-to", "rank|group", ValueKind::text, "rank", kFailureSection,
     "rank: to its first process, through shells to what they run, to the rest when that has "
     "exited or half of the grace period is over; group: to its process group, immediately"},
    {"--graceful-exit-code", "N", ValueKind::number, "128+n", kFailureSection,
     "exit code of a run that signal n stopped and whose ranks all exited 0, 0 to 255"},
    {"--clean-shm", "none|generated|all", ValueKind::text, "generated", kFailureSection,
     "which files that the ranks of a failed attempt left in /dev/shm are removed: those with "
     "names that libraries generate (Python, PyTorch, NCCL, CUDA), or all; only files that are "
     "proven to be a rank's"},
};

// "ok", "fail" or "fail after 30s".
Failure early_exit(const SettingsReader& reader, core::GroupConfig& group) {
  const Setting* const setting = reader.given("--early-exit");
  if (setting == nullptr || setting->text == "ok") return std::nullopt;
  constexpr std::string_view kAfter = "fail after ";
  const std::string_view text = setting->text;
  if (text == "fail") {
    group.early_exit_allowed = core::Nanoseconds::zero();
    return std::nullopt;
  }
  if (text.starts_with(kAfter)) {
    if (const auto time = parse_duration("", text.substr(kAfter.size()))) {
      group.early_exit_allowed = *time;
      return std::nullopt;
    }
  }
  return refusal(*setting, "ok, fail, or a time such as 'fail after 30s'");
}

}  // namespace

std::span<const FlagSpec> shutdown_flags() { return kFlags; }

Failure read_shutdown(const SettingsReader& reader, core::GroupConfig& group,
                      WorkerOptions& options) {
  if (auto failure = reader.duration("--shutdown-timeout", group.shutdown_timeout)) return failure;
  if (auto failure = reader.duration("--linger-timeout", group.linger_timeout)) return failure;
  if (auto failure = reader.signal("--stop-signal", group.stop_signal)) return failure;
  if (auto failure = reader.choice<StopScope>(
          "--stop-signal-to", {{"rank", StopScope::rank}, {"group", StopScope::group}},
          options.stop_scope))
    return failure;
  using Clean = core::CleanSharedMemory;
  if (auto failure = reader.choice<Clean>(
          "--clean-shm",
          {{"none", Clean::none}, {"generated", Clean::generated}, {"all", Clean::all}},
          options.clean_shm))
    return failure;
  if (reader.given("--graceful-exit-code") != nullptr) {
    int code = 0;
    if (auto failure = reader.integer("--graceful-exit-code", 0, 255, code)) return failure;
    group.graceful_exit_code = code;
  }
  return early_exit(reader, group);
}

}  // namespace ddp
