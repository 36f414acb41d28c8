#include "launcher/os/mechanism.hpp"

#include "common/env_names.hpp"

#include <cstdlib>
#include <string_view>

namespace ddp::os {
namespace {

std::string_view name_of(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::subreaper:
      return "subreaper";
    case Mechanism::death_signal:
      return "death-signal";
    case Mechanism::sweep:
      return "sweep";
    case Mechanism::cgroup:
      return "cgroup";
    case Mechanism::apart:
      return "apart";
    case Mechanism::hearing:
      return "hearing";
    case Mechanism::patience:
      return "patience";
    case Mechanism::draining:
      return "draining";
    case Mechanism::asking:
      return "asking";
  }
  return "";
}

}  // namespace

bool is_off(Mechanism mechanism) {
  const char* const list = std::getenv(env::kLaunchTestOff);
  if (list == nullptr) return false;
  std::string_view rest = list;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    if (rest.substr(0, comma) == name_of(mechanism)) return true;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace ddp::os
