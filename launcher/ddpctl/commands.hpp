// The commands and flags of ddpctl: --help and the parsing of its arguments are made from these
// rows.
#pragma once

#include <array>
#include <string_view>

namespace ddp::ctl {

enum class Verb { list, stop };

// What follows the command's name.
enum class Operands { none };

struct CommandRow {
  Verb verb;
  std::string_view name;
  Operands operands;
  std::string_view shown;  // the operands, for --help
  std::string_view help;
};

inline constexpr std::array kCommands{
    CommandRow{Verb::list, "list", Operands::none, "", "the launches of this user, oldest first"},
    CommandRow{Verb::stop, "stop", Operands::none, "",
               "stop the run, as SIGTERM to ddp-launch does; a second stop kills at once"},
};

enum class Flag { run, dir, help, version };

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
    FlagRow{Flag::help, "--help", "-h", "", kEvery, "show commands and options"},
    FlagRow{Flag::version, "--version", "", "", kEvery, "show the version of ddpctl"},
};

}  // namespace ddp::ctl
