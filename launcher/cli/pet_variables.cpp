#include "launcher/cli/pet_variables.hpp"

#include "launcher/base/edit_distance.hpp"
#include "launcher/cli/flags.hpp"

#include <algorithm>

namespace ddp {
namespace {

constexpr std::string_view kHead = "PET_";

// "PET_NPROC_PER_NODE" -> "nproc_per_node"
std::string flag_of(std::string_view variable) {
  std::string name(variable.substr(kHead.size()));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// "--nproc-per-node" -> "PET_NPROC_PER_NODE"
std::string variable_of(std::string flag) {
  std::transform(flag.begin(), flag.end(), flag.begin(), [](unsigned char c) {
    return static_cast<char>(c == '-' ? '_' : std::toupper(c));
  });
  return std::string(kHead) + flag.substr(2);
}

// What the user may have meant by a variable of this flag.
std::string guess_for(const std::string& flag) {
  const std::string guess = did_you_mean_flag("--" + flag);
  const std::size_t from = guess.find("--");
  if (from == std::string::npos) return "";
  return did_you_mean(variable_of(guess.substr(from, guess.find('?') - from)));
}

// What a flag without a value makes of it: torchrun reads an integer.
const char* as_toggle(const std::string& value) {
  if (value == "1" || value == "true") return "true";
  if (value == "0" || value == "false") return "false";
  return nullptr;
}

}  // namespace

PetVariables pet_variables(const char* const* environment) {
  PetVariables found;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::size_t equals = entry.find('=');
    if (entry.starts_with(kHead) && equals != std::string_view::npos)
      found.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  std::sort(found.begin(), found.end());
  return found;
}

void drop_overruled(Settings& defaults, const Settings& stronger) {
  struct Rule {
    std::string_view given;
    std::vector<std::string_view> dropped;
  };
  static const Rule kRules[] = {
      {"--standalone", {"--nnodes", "--node-rank"}},
      {"--rdzv-endpoint", {"--master-addr", "--master-port"}},
      {"--master-addr", {"--rdzv-endpoint"}},
      {"--master-port", {"--rdzv-endpoint"}},
      {"--module", {"--no-python", "--run-path"}},
      {"--no-python", {"--module", "--run-path"}},
      {"--run-path", {"--module", "--no-python"}},
      {"--bind", {"--numa-binding"}},
      {"--numa-binding", {"--bind"}},
  };
  for (const Rule& rule : kRules) {
    if (stronger.get(rule.given) == nullptr) continue;
    for (const std::string_view flag : rule.dropped) defaults.remove(flag);
  }
  // One machine has no other number.
  const Setting* const nodes = stronger.get("--nnodes");
  if (nodes != nullptr && (nodes->text == "1" || nodes->text == "1:1"))
    defaults.remove("--node-rank");
}

Result<Settings> read_pet_variables(const PetVariables& variables,
                                    std::vector<std::string>& warnings) {
  Settings settings;
  for (const auto& [name, value] : variables) {
    if (value.empty()) continue;
    const std::string flag = flag_of(name);
    const FlagSpec* const spec = find_flag(flag);
    if (spec == nullptr || spec->kind == ValueKind::shell_only) {
      warnings.push_back(name + " names no option that can be set by a variable, and is ignored" +
                         (spec == nullptr ? guess_for(flag) : ""));
      continue;
    }
    Setting setting{name, value, name};
    if (spec->kind == ValueKind::toggle) {
      const char* const state = as_toggle(value);
      if (state == nullptr) return refusal(setting, "1 or 0");
      setting.text = state;
    }
    if (const Setting* const other = settings.get(first_name(*spec)))
      return Error{other->what + " and " + name + " set the same option: expected one of them"};
    settings.set(first_name(*spec), std::move(setting));
  }
  return settings;
}

}  // namespace ddp
