// The commands and flags of ddpctl: --help and the parsing of its arguments are made from these
// rows.
#pragma once

#include <array>
#include <string_view>

namespace ddp::ctl {

enum class Verb { list, status, logs, stop, restart, kill, signal, stacks, inject, report, trace };

// What follows the command's name.
enum class Operands { none, one_rank, ranks, signal_and_ranks, fault, path };

struct CommandRow {
  Verb verb;
  std::string_view name;
  Operands operands;
  std::string_view shown;  // the operands, for --help
  std::string_view help;
};

inline constexpr std::array kCommands{
    CommandRow{Verb::list, "list", Operands::none, "", "the launches of this user, oldest first"},
    CommandRow{Verb::status, "status", Operands::none, "", "what the group and each rank do"},
    CommandRow{Verb::logs, "logs", Operands::none, "", "the last lines of each rank"},
    CommandRow{Verb::stop, "stop", Operands::none, "",
               "stop the run, as SIGTERM to ddp-launch does; a second stop kills at once"},
    CommandRow{Verb::restart, "restart", Operands::none, "",
               "stop the group and start a new attempt; --max-restarts does not count it"},
    CommandRow{Verb::kill, "kill", Operands::one_rank, "RANK",
               "SIGKILL to the first process of the rank"},
    CommandRow{Verb::signal, "signal", Operands::signal_and_ranks, "SIG [RANK...]",
               "send a signal to the program of each rank, or of these ranks"},
    CommandRow{Verb::stacks, "stacks", Operands::ranks, "[RANK...]",
               "the stacks of each rank by py-spy or gdb; the ranks run on"},
    CommandRow{Verb::inject, "inject", Operands::fault, "SPEC",
               "inject a fault into the running group, such as kill@rank=2"},
    CommandRow{Verb::report, "report", Operands::path, "[DIR|FILE]",
               "report.html of a run, from the events.jsonl that DIR has or FILE is; default: of "
               "the running one"},
    CommandRow{Verb::trace, "trace", Operands::path, "[DIR|FILE]",
               "the same as a trace for Perfetto and chrome://tracing, trace.json"},
};

enum class Flag { run, dir, json, rank, lines, follow, output, help, version };

struct FlagRow {
  Flag flag;
  std::string_view name;
  std::string_view short_name;  // empty: none
  std::string_view argument;    // empty: it takes none
  unsigned commands;            // 1u << Verb of those that take it
  std::string_view help;
};

constexpr unsigned takes(auto... verbs) {
  return ((1u << static_cast<unsigned>(verbs)) | ... | 0u);
}
inline constexpr unsigned kEvery = ~0u;

inline constexpr std::array kFlags{
    FlagRow{Flag::run, "--run", "", "ID", kEvery & ~takes(Verb::list),
            "the run with this run id, or the ddp-launch with this pid; default: the only one"},
    FlagRow{Flag::dir, "--dir", "", "DIR", kEvery,
            "search DIR for runs; default: XDG_RUNTIME_DIR, TMPDIR and /tmp"},
    FlagRow{Flag::json, "--json", "", "", takes(Verb::status), "status: as one JSON object"},
    FlagRow{Flag::rank, "--rank", "", "RANK", takes(Verb::logs),
            "logs: of these ranks, such as 0-3,7"},
    FlagRow{Flag::lines, "--lines", "-n", "N", takes(Verb::logs),
            "logs: so many lines of each rank; default: 20"},
    FlagRow{Flag::follow, "--follow", "-f", "", takes(Verb::logs),
            "logs: print lines as the ranks write them, until the run ends"},
    FlagRow{Flag::output, "--output", "-o", "FILE", takes(Verb::report, Verb::trace),
            "report, trace: where to write it, - for stdout; default: next to events.jsonl"},
    FlagRow{Flag::help, "--help", "-h", "", kEvery, "show commands and options"},
    FlagRow{Flag::version, "--version", "", "", kEvery, "show the version of ddpctl"},
};

}  // namespace ddp::ctl
