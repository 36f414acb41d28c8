// torchrun's environment variables: PET_NPROC_PER_NODE=4 is the default of --nproc-per-node.
#pragma once

#include "launcher/settings/settings.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ddp {

// Name and value of the variables of an environment block ("NAME=value") that begin with PET_.
using PetVariables = std::vector<std::pair<std::string, std::string>>;
PetVariables pet_variables(const char* const* environment);

// As settings of the flags that they name, in either of the flag's long names; an empty value is
// none. One that names no flag becomes one of `warnings`. The error names a variable whose value a
// flag without a value cannot have, or two that set the same flag.
Result<Settings> read_pet_variables(const PetVariables& variables,
                                    std::vector<std::string>& warnings);

// Removes from `defaults` what contradicts a flag that `stronger` (the command line or the file)
// has set: of flags that say the same in different words, only the stronger source counts.
void drop_overruled(Settings& defaults, const Settings& stronger);

}  // namespace ddp
