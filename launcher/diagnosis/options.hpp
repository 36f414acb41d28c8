// --diagnose: signatures of the user's, which are tried before the built-in ones.
#pragma once

#include "launcher/diagnosis/signature_file.hpp"
#include "launcher/settings/flag.hpp"
#include "launcher/settings/reader.hpp"

#include <span>

namespace ddp {

std::span<const FlagSpec> diagnosis_flags();
Failure read_diagnosis(const SettingsReader& reader, diagnosis::SignatureFile& signatures);

}  // namespace ddp
