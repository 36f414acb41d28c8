#include "launcher/cli/flags.hpp"

#include <algorithm>
#include <cassert>
#include <vector>

namespace ddp {
namespace {

constexpr std::string_view kWorkers = "Workers";
constexpr std::string_view kNodes = "Several machines";
constexpr std::string_view kFailure = "Failure and shutdown";
constexpr std::string_view kHangs = "Hangs and stragglers";
constexpr std::string_view kOutput = "Output";
constexpr std::string_view kFaults = "Faults";
constexpr std::string_view kAbout = "ddp-launch itself";

constexpr FlagSpec kTable[] = {
    {Flag::nproc, "--nproc,--nproc-per-node", "N|auto|cpu|gpu", ValueKind::number, "1", kWorkers,
     "workers on this machine, 1 to 4096; gpu: one per visible GPU; cpu: one per usable CPU; auto: "
     "gpu where there is one, else cpu"},
    {Flag::devices, "--devices", "LIST", ValueKind::list, "all visible", kWorkers,
     "the devices to use: indices, ranges or UUIDs (2,5 or 0-3 or GPU-8a1b…); indices count the "
     "devices visible to ddp-launch"},
    {Flag::device_type, "--device-type", "TYPE", ValueKind::text, "cuda", kWorkers,
     "cpu, cuda, ascend, hip or ze: which variable names the devices"},
    {Flag::virtual_local_rank, "--virtual-local-rank", "", ValueKind::toggle, "off", kWorkers,
     "each worker sees its own device alone and LOCAL_RANK 0"},
    {Flag::oversubscribe, "--oversubscribe", "", ValueKind::toggle, "off", kWorkers,
     "let ranks share a device where there are fewer, for development: NCCL is told to bear it"},
    {Flag::stdin_rank, "--stdin", "RANK", ValueKind::number, "none", kWorkers,
     "the rank that reads ddp-launch's input; the others read /dev/null"},
    {Flag::nnodes, "--nnodes", "N", ValueKind::number, "1", kNodes,
     "machines in the job, 1 to 65536; start ddp-launch on each"},
    {Flag::node_rank, "--node-rank", "N", ValueKind::number, "0", kNodes,
     "which of them this is, 0 to nnodes-1"},
    {Flag::master_addr, "--master-addr", "HOST", ValueKind::text, "127.0.0.1", kNodes,
     "where rank 0 listens: a host name or an IP address, without a port"},
    {Flag::master_port, "--master-port", "PORT", ValueKind::number, "a fresh one each attempt",
     kNodes, "the port it listens on, 1 to 65535"},
    {Flag::run_id, "--run-id", "NAME", ValueKind::text, "date, time and chance", kNodes,
     "name of the run: up to 64 letters, digits, '.', '_' and '-'; the same on every machine"},
    {Flag::max_restarts, "--max-restarts", "N|'N in TIME'", ValueKind::number, "0", kFailure,
     "restarts of the whole group after a failure, 0 to 1000000; '3 in 10m': at most three within "
     "any ten minutes"},
    {Flag::backoff, "--backoff", "TIME", ValueKind::duration, "1s", kFailure,
     "wait before the second restart in a row without progress (the first comes at once); doubles "
     "each time; up to a tenth less, by chance"},
    {Flag::max_backoff, "--max-backoff", "TIME", ValueKind::duration, "30s", kFailure,
     "the longest such wait"},
    {Flag::crash_loop, "--crash-loop", "N", ValueKind::number, "5", kFailure,
     "give up after N attempts in a row that fail alike without progress; 0: never"},
    {Flag::restart_on, "--restart-on", "CODES", ValueKind::list, "all others", kFailure,
     "restart after these exit codes and signals alone (1,100-110,SIGKILL)"},
    {Flag::no_restart_on, "--no-restart-on", "CODES", ValueKind::list, "2,126,127", kFailure,
     "never restart after these, in addition to 2, 126 and 127 (78,100-110,SIGILL)"},
    {Flag::restart_after, "--restart-after", "ready|TIME", ValueKind::duration, "0", kFailure,
     "do not restart an attempt that fails before every rank has sent READY=1, or within TIME: a "
     "mistake that a restart cannot fix"},
    {Flag::early_exit, "--early-exit", "ok|fail|'fail after TIME'", ValueKind::text, "ok", kFailure,
     "whether a rank that exits 0 while others still run has failed: never, at once, or when they "
     "still run after TIME"},
    {Flag::shutdown_timeout, "--shutdown-timeout,--grace-period", "TIME", ValueKind::duration,
     "30s", kFailure,
     "grace period from the stop signal to SIGKILL, one for the whole group and all it started"},
    {Flag::linger_timeout, "--linger-timeout", "TIME", ValueKind::duration, "5s", kFailure,
     "the same after success: how long what the ranks left running may take to end; 0: no time"},
    {Flag::stop_signal, "--stop-signal", "SIGNAL", ValueKind::text, "TERM; INT after Ctrl-C",
     kFailure, "the signal that asks a rank to stop"},
    {Flag::stop_signal_to, "--stop-signal-to", "rank|group", ValueKind::text, "rank", kFailure,
     "rank: to its first process, through shells to what they run, to the rest when that has "
     "exited or half of the grace period is over; group: to its process group at once"},
    {Flag::graceful_exit_code, "--graceful-exit-code", "N", ValueKind::number, "128+n", kFailure,
     "exit code of a run that signal n stopped and whose ranks all exited 0, 0 to 255"},
    {Flag::clean_shm, "--clean-shm", "none|generated|all", ValueKind::text, "generated", kFailure,
     "which files a failed attempt's ranks left in /dev/shm are removed: those with names that "
     "libraries generate (Python, PyTorch, NCCL, CUDA), or all; only what is proven to be a "
     "rank's"},
    {Flag::timeout, "--timeout", "TIME", ValueKind::duration, "off", kHangs,
     "the longest the whole run may take, restarts included; then it is ended for good"},
    {Flag::ready_timeout, "--ready-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "from the start of an attempt until every rank has said READY=1 (sd_notify)"},
    {Flag::heartbeat_timeout, "--heartbeat-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "between a rank's READY=1 or WATCHDOG=1 and its next WATCHDOG=1; workers get it as "
     "WATCHDOG_USEC"},
    {Flag::progress_timeout, "--progress-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "without a new X_DDP_STEP of the slowest rank that tells them"},
    {Flag::output_timeout, "--output-timeout", "TIME", ValueKind::duration, "off", kHangs,
     "without a byte of output of any one rank"},
    {Flag::on_hang, "--on-hang", "CMD", ValueKind::text, "py-spy or gdb, where installed", kHangs,
     "shell command to look into each rank of a hung group, with {pid}, {rank} and {dir}; none: "
     "no command"},
    {Flag::hang_signal, "--hang-signal", "SIGNAL", ValueKind::text, "none", kHangs,
     "signal that makes a worker tell where it is (USR1), sent to each rank of a hung group"},
    {Flag::evidence_timeout, "--evidence-timeout", "TIME", ValueKind::duration, "10s", kHangs,
     "the longest that a hung group is looked at before it has to go"},
    {Flag::straggler_factor, "--straggler-factor", "X", ValueKind::real, "off", kHangs,
     "name a rank whose part of a step takes X times the median rank's, 1.1 to 1000"},
    {Flag::straggler_window, "--straggler-window", "N", ValueKind::number, "20", kHangs,
     "steps that it is measured over, 5 to 10000"},
    {Flag::output, "--output", "prefix|raw|none", ValueKind::text, "prefix", kOutput,
     "workers' lines on the console: behind '[rank] ', as they are, or not at all"},
    {Flag::prefix, "--prefix", "TEMPLATE", ValueKind::text, "'[{rank}] '", kOutput,
     "what a line begins with, in log files too: text with {rank}, {local_rank}, {world_size}, "
     "{role}, {time}, {attempt}, {stream} and {run_id}; {{ and }} are braces"},
    {Flag::timestamps, "--timestamps", "iso|elapsed", ValueKind::text, "none", kOutput,
     "put the time at which each line was read in front of it, on the console and in log files: in "
     "UTC, or in seconds since the launch began"},
    {Flag::local_ranks_filter, "--local-ranks-filter", "LIST", ValueKind::list, "all", kOutput,
     "show only these local ranks on the console (0,2 or 0-3)"},
    {Flag::log_dir, "--log-dir", "DIR", ValueKind::text, "none", kOutput,
     "keep this run's files in DIR/<run id>, or DIR/<run id>.2 and so on where that exists"},
    {Flag::redirects, "--redirects,-r", "MAP", ValueKind::list, "0", kOutput,
     "to files in the log directory instead of the console: 0 nothing, 1 stdout, 2 stderr, 3 both; "
     "for all, or by local rank (0:3,1:2)"},
    {Flag::tee, "--tee,-t", "MAP", ValueKind::list, "0", kOutput,
     "to files and the console; the same values"},
    {Flag::pty, "--pty", "", ValueKind::toggle, "off", kOutput,
     "make each rank's stdout and stderr a terminal of its own: C programs write line by line, "
     "bars "
     "and colours appear"},
    {Flag::inject, "--inject", "SPEC", ValueKind::several, "none", kFaults,
     "strike the group with this fault, such as kill@step=50,rank=2 or stop@rank=any,ready=10s; "
     "may "
     "be given several times (docs/faults.md)"},
    {Flag::faults, "--faults", "FILE", ValueKind::text, "none", kFaults,
     "a TOML plan: faults, and what is expected of the run, which then decides the exit code"},
    {Flag::fault_seed, "--fault-seed", "N", ValueKind::number, "the plan's, or 0", kFaults,
     "what ranks and steps left to chance are drawn from: the same seed, the same faults"},
    {Flag::replay, "--replay", "FILE", ValueKind::text, "none", kFaults,
     "strike with the faults of a former run, as its events.jsonl tells them"},
    {Flag::junit, "--junit", "FILE", ValueKind::text, "none", kFaults,
     "write what was expected and what came of it as JUnit XML"},
    {Flag::campaign, "--campaign", "DIR", ValueKind::shell_only, "", kFaults,
     "run each plan of this directory (*.toml), one after another, and tell which were met; other "
     "flags and the program are for every run (docs/ci.md)"},
    {Flag::log_level, "--log-level", "LEVEL", ValueKind::text, "warn", kAbout,
     "how much ddp-launch says: trace, debug, info, warn, error or off; also DDP_LAUNCH_LOG"},
    {Flag::config, "--config", "FILE", ValueKind::shell_only, "", kAbout,
     "read flags and the command from a TOML file; the command line wins"},
    {Flag::dry_run, "--dry-run", "", ValueKind::toggle, "off", kAbout,
     "show each rank's device, environment and command, and start nothing"},
    {Flag::version, "--version", "", ValueKind::shell_only, "", kAbout, "show the version"},
    {Flag::help, "--help,-h", "", ValueKind::shell_only, "", kAbout, "show this text"},
};
static_assert(std::size(kTable) == kFlagCount);

// The number of insertions, deletions, substitutions and swaps of neighbours between two words
// (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::span<const FlagSpec> flag_table() { return kTable; }

const FlagSpec& spec_of(Flag flag) {
  const FlagSpec& spec = kTable[static_cast<std::size_t>(flag)];
  assert(spec.flag == flag);
  return spec;
}

std::string_view first_name(const FlagSpec& spec) {
  return spec.names.substr(0, spec.names.find(','));
}

const FlagSpec* find_flag(std::string_view long_name) {
  std::string dashed = "--" + std::string(long_name);
  std::replace(dashed.begin() + 2, dashed.end(), '_', '-');
  for (const FlagSpec& spec : kTable) {
    bool found = false;
    for_each_name(spec, [&](std::string_view name) { found |= name == dashed; });
    if (found) return &spec;
  }
  return nullptr;
}

std::string did_you_mean_flag(std::string_view given) {
  std::string name(given);
  std::replace(name.begin(), name.end(), '_', '-');
  std::string_view best;
  std::size_t least = name.size() / 4 + 1;  // farther than this is no slip of the finger
  for (const FlagSpec& spec : kTable) {
    for_each_name(spec, [&](std::string_view candidate) {
      if (!candidate.starts_with("--")) return;
      // An abbreviation is as good as a hit: it is refused, so say what it stands for.
      const bool abbreviated = name.size() > 3 && candidate.starts_with(name);
      const std::size_t far = abbreviated ? 0 : distance(name, candidate);
      if (far < least || (far == least && best.empty())) {
        least = far;
        best = candidate;
      }
    });
  }
  return best.empty() ? "" : " (did you mean " + std::string(best) + "?)";
}

Error refusal(const Setting& setting, std::string_view expected) {
  return Error{setting.what + " is '" + setting.text + "': expected " + std::string(expected)};
}

}  // namespace ddp
