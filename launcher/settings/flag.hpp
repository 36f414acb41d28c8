// One flag of ddp-launch, as its room declares it: the command line, the configuration file, --help
// and the reference page (docs/command-line.md) are all made from these rows.
//
// This room is the lowest that knows of flags. It has the types that rooms declare and read their
// flags with; launcher/cli joins the rooms' rows and fills in what the user gave. It may include
// common/ alone.
#pragma once

#include <string_view>

namespace ddp {

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
  std::string_view names;     // "--long,--alias,-s": the first is its name in settings and messages
  std::string_view argument;  // "N"; empty: the flag takes no value
  ValueKind kind;
  std::string_view fallback;  // the default in words; empty: none
  std::string_view section;   // heading in --help
  std::string_view help;      // what it does and what is allowed
};

// "--nproc" of "--nproc,--nproc-per-node".
inline std::string_view first_name(const FlagSpec& spec) {
  return spec.names.substr(0, spec.names.find(','));
}

// Calls `visit` with each name, dashes included.
template <class Visit>
void for_each_name(const FlagSpec& spec, Visit visit) {
  for (std::string_view rest = spec.names; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    visit(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
}

}  // namespace ddp
