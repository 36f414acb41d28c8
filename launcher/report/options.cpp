#include "launcher/report/options.hpp"

namespace ddp {
namespace {

constexpr std::string_view kOutput = "Output";
constexpr std::string_view kFaults = "Faults";

constexpr FlagSpec kFlags[] = {
    {"--summary", "text|json", ValueKind::text, "text", kOutput,
     "json: one JSON object as the last line of stdout, in addition (docs/events.md)"},
    {"--junit", "FILE", ValueKind::text, "none", kFaults,
     "write the expectations and their results as JUnit XML"},
};

}  // namespace

std::span<const FlagSpec> report_flags() { return kFlags; }

Failure read_summary(const SettingsReader& reader, bool& json) {
  return reader.choice("--summary", {{"text", false}, {"json", true}}, json);
}

Failure read_junit(const SettingsReader& reader, std::string& path) {
  return reader.file_to_write("--junit", path);
}

}  // namespace ddp
