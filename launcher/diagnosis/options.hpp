// --diagnose: signatures of the user's, which are tried before the built-in ones.
#pragma once

#include "launcher/diagnosis/signature.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>
#include <vector>

namespace ddp {

std::span<const FlagSpec> diagnosis_flags();
Failure read_diagnosis(const SettingsReader& reader, std::vector<diagnosis::Signature>& signatures);

}  // namespace ddp
