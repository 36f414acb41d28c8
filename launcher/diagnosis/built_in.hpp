// The signatures of signatures.toml, as a table that is made at build time.
#pragma once

#include "launcher/diagnosis/signature.hpp"

#include <span>

namespace ddp::diagnosis {

// In their order in the file; constant memory.
std::span<const Signature> built_in_signatures();

}  // namespace ddp::diagnosis
