#include "launcher/report/options.hpp"

#include <filesystem>

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

Failure read_junit(const SettingsReader& reader, std::string& junit) {
  const Setting* const setting = reader.given("--junit");
  if (setting == nullptr) return std::nullopt;
  junit = setting->text;
  const std::filesystem::path path(junit);
  const auto directory = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code failed;
  if (!path.has_filename() || std::filesystem::is_directory(path, failed) ||
      !std::filesystem::is_directory(directory, failed))
    return refusal(*setting, "a file in a directory that exists");
  return std::nullopt;
}

}  // namespace ddp
