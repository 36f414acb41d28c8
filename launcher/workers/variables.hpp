// Environment variables as values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddp {

// Name, one of common/env_names.hpp, and value.
using Variables = std::vector<std::pair<std::string_view, std::string>>;

// The value of `name` in an environment block ("NAME=value", as environ), or nullptr.
const char* look_up(const char* const* environment, std::string_view name);

}  // namespace ddp
