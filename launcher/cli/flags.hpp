// Every flag of ddp-launch: the rooms' rows joined, in the order of --help.
#pragma once

#include "launcher/settings/flag.hpp"

#include <span>
#include <string>
#include <string_view>

namespace ddp {

std::span<const FlagSpec> flag_table();

// The flag of a long name without its dashes, words joined by '-' or, as torchrun also has it, '_'.
const FlagSpec* find_flag(std::string_view long_name);

// " (did you mean --nnodes?)" for a long name, dashes included, that is close to a flag; else "".
std::string did_you_mean_flag(std::string_view name);

std::string help_text();
// The table of flags in docs/command-line.md.
std::string flags_markdown();

}  // namespace ddp
