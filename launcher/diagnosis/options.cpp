#include "launcher/diagnosis/options.hpp"

#include <utility>

namespace ddp {
namespace {

constexpr FlagSpec kFlags[] = {
    {"--diagnose", "FILE", ValueKind::text, "the built-in ones", "Output",
     "a TOML file of signatures that name the cause of a failure, tried before the built-in ones "
     "(docs/diagnosis.md)"},
};

}  // namespace

std::span<const FlagSpec> diagnosis_flags() { return kFlags; }

Failure read_diagnosis(const SettingsReader& reader, diagnosis::SignatureFile& signatures) {
  const Setting* const setting = reader.given("--diagnose");
  if (setting == nullptr) return std::nullopt;
  auto read = diagnosis::read_signatures(setting->text);
  if (!read) return Error{setting->what + ": " + read.error()};
  signatures = std::move(*read);
  return std::nullopt;
}

}  // namespace ddp
