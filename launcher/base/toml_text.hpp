// The one way TOML is read here. Who uses the table includes launcher/base/toml_library.hpp.
#pragma once

#include "common/result.hpp"

#include <string>
#include <string_view>

namespace toml {
inline namespace v3 {
class table;
}
}  // namespace toml

namespace ddp {

// `text` as the content of `path`, which errors and source positions name. The error begins with
// "path:line:column: " or, where toml++ loses the column, "path:line: ".
Result<toml::table> parse_toml(std::string_view text, const std::string& path);

}  // namespace ddp
