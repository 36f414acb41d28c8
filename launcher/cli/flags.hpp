// Every flag of ddp-launch, once: the parser, the configuration file, --help and the reference page
// (docs/command-line.md) are all made from this table.
#pragma once

#include "common/result.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// In the order of flag_table().
enum class Flag : std::size_t {
  nproc,
  devices,
  device_type,
  virtual_local_rank,
  oversubscribe,
  stdin_rank,
  nnodes,
  node_rank,
  master_addr,
  master_port,
  run_id,
  max_restarts,
  backoff,
  max_backoff,
  crash_loop,
  restart_on,
  no_restart_on,
  restart_after,
  early_exit,
  shutdown_timeout,
  linger_timeout,
  stop_signal,
  stop_signal_to,
  graceful_exit_code,
  clean_shm,
  timeout,
  ready_timeout,
  heartbeat_timeout,
  progress_timeout,
  output_timeout,
  on_hang,
  hang_signal,
  evidence_timeout,
  straggler_factor,
  straggler_window,
  output,
  prefix,
  timestamps,
  local_ranks_filter,
  log_dir,
  redirects,
  tee,
  pty,
  inject,
  faults,
  fault_seed,
  replay,
  junit,
  campaign,
  log_level,
  config,
  dry_run,
  version,
  help,
  count  // how many there are
};
inline constexpr std::size_t kFlagCount = static_cast<std::size_t>(Flag::count);

// What a flag's value may be in a configuration file.
enum class ValueKind {
  number,      // an integer, or text ("auto", "3 in 10m")
  real,        // a number, or text
  duration,    // a number of seconds, or text with a unit
  text,        // text only
  list,        // an integer, text, or an array of both
  several,     // text, or an array of it; may be given several times
  toggle,      // true or false; takes no value on the command line
  shell_only,  // not in a configuration file
};

struct FlagSpec {
  Flag flag;
  std::string_view names;     // "--long,--alias,-s": the first is what messages say
  std::string_view argument;  // "N"; empty: the flag takes no value
  ValueKind kind;
  std::string_view fallback;  // the default in words; empty: none
  std::string_view section;   // heading in --help
  std::string_view help;      // what it does and what is allowed
};

std::span<const FlagSpec> flag_table();
const FlagSpec& spec_of(Flag flag);
// "--nproc" of "--nproc,--nproc-per-node".
std::string_view first_name(const FlagSpec& spec);
// Calls `visit` with each name, dashes included.
template <class Visit>
void for_each_name(const FlagSpec& spec, Visit visit) {
  for (std::string_view rest = spec.names; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    visit(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
}

// The flag of a long name without its dashes, words joined by '-' or, as torchrun also has it, '_'.
const FlagSpec* find_flag(std::string_view long_name);

// " (did you mean --nnodes?)" for a long name, dashes included, that is close to a flag; else "".
std::string did_you_mean_flag(std::string_view name);

// One value as the user gave it.
struct Setting {
  std::string what;  // where: "--nproc", "run.toml:3:9: nproc", "DDP_LAUNCH_LOG"
  std::string text;
};
// "<what> is '<text>': expected <expected>"
Error refusal(const Setting& setting, std::string_view expected);

class Settings {
 public:
  // The value of a flag that has one; nullptr where it was not given.
  const Setting* get(Flag flag) const {
    const auto& values = settings_[static_cast<std::size_t>(flag)];
    return values.empty() ? nullptr : &values.front();
  }
  // Every value of a flag that may be given several times, in the order given.
  std::span<const Setting> all(Flag flag) const {
    return settings_[static_cast<std::size_t>(flag)];
  }
  void set(Flag flag, Setting setting) {
    settings_[static_cast<std::size_t>(flag)] = {std::move(setting)};
  }
  void add(Flag flag, Setting setting) {
    settings_[static_cast<std::size_t>(flag)].push_back(std::move(setting));
  }
  // What `other` has of this flag, if anything, instead of what is here.
  void take(Flag flag, const Settings& other) {
    const auto& values = other.settings_[static_cast<std::size_t>(flag)];
    if (!values.empty()) settings_[static_cast<std::size_t>(flag)] = values;
  }

 private:
  std::array<std::vector<Setting>, kFlagCount> settings_;
};

std::string help_text();
// The table of flags in docs/command-line.md.
std::string flags_markdown();

}  // namespace ddp
