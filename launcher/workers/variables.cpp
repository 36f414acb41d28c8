#include "launcher/workers/variables.hpp"

namespace ddp {

const char* look_up(const char* const* environment, std::string_view name) {
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (entry.size() > name.size() && entry[name.size()] == '=' &&
        entry.substr(0, name.size()) == name)
      return *environment + name.size() + 1;
  }
  return nullptr;
}

}  // namespace ddp
