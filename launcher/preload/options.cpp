#include "launcher/preload/options.hpp"

#include "launcher/preload/python_command.hpp"
#include "launcher/settings/comma_list.hpp"

#include <algorithm>
#include <string_view>

namespace ddp {
namespace {

constexpr FlagSpec kFlags[] = {
    {"--preload", "MODULES", ValueKind::list, "none", "Workers",
     "start one Python that imports these modules (torch,numpy) and forks every rank of every "
     "attempt; auto: what the script itself imports at its top level"},
};

// "torch.nn": names that Python accepts, as far as bytes show it.
bool is_module_name(std::string_view name) {
  bool start = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c < 0;
    const bool digit = c >= '0' && c <= '9';
    if (c == '.' ? start : !(letter || (digit && !start))) return false;
    start = c == '.';
  }
  return !start;
}

}  // namespace

std::span<const FlagSpec> preload_flags() { return kFlags; }

Failure read_preload(const SettingsReader& reader, PreloadOptions& options) {
  const Setting* const setting = reader.given("--preload");
  if (setting == nullptr || setting->text == "none") return std::nullopt;
  for (const auto name : split_at_commas(setting->text)) {
    if (!is_module_name(name))
      return refusal(*setting, "names of Python modules, separated by commas, auto or none");
    options.modules.emplace_back(name);
  }
  if (options.modules.size() > 1 &&
      std::find(options.modules.begin(), options.modules.end(), "auto") != options.modules.end())
    return refusal(*setting, "auto alone, or names of Python modules");
  return std::nullopt;
}

Failure check_preload(const PreloadOptions& options, std::span<const std::string> command) {
  if (options.modules.empty() || parse_python_command(command)) return std::nullopt;
  return Error{
      "--preload needs a Python program: expected python3 script.py or python3 -m module, not '" +
      (command.empty() ? "" : command.front()) + "'"};
}

}  // namespace ddp
