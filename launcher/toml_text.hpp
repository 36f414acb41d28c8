// The one way TOML is read here. Includes toml++: for source files, never for other headers.
#pragma once

#include "common/result.hpp"

#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace ddp {

// `text` as the content of `path`, which errors and source positions name. The error begins with
// "path:line:column: " or, where toml++ loses the column, "path:line: ".
Result<toml::table> parse_toml(std::string_view text, const std::string& path);

}  // namespace ddp
