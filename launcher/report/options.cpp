#include "launcher/report/options.hpp"

namespace ddp {
namespace {

constexpr std::string_view kFaults = "Faults";

constexpr FlagSpec kFlags[] = {
    {"--junit", "FILE", ValueKind::text, "none", kFaults,
     "write the expectations and their results as JUnit XML"},
};

}  // namespace

std::span<const FlagSpec> report_flags() { return kFlags; }

Failure read_junit(const SettingsReader& reader, std::string& path) {
  return reader.file_to_write("--junit", path);
}

}  // namespace ddp
