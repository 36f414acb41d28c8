// Room: launcher/torchrun. torchrun's flags that do nothing here, so that its command lines run
// unchanged: accepted with a note, or refused with what to write instead.
// Includes: launcher/settings. Included by: launcher/cli.
//
// A torchrun flag with a counterpart is a name of that flag, in the room that acts on it.
#pragma once

#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <string>
#include <vector>

namespace ddp {

// "Accepted from torchrun" in --help. Each flag that was given and has no effect adds to `notes`.
std::span<const FlagSpec> torchrun_flags();
Failure read_torchrun(const SettingsReader& reader, std::vector<std::string>& notes);

}  // namespace ddp
