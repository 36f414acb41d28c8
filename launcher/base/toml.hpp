// TOML as every room reads it. Include this header, never toml++ itself: two parts of toml++ 3.3
// are corrected here, for every translation unit alike.
//
// - It asserts where a bracket is followed by what begins no key ("[." or "[\n"). With assert(3) a
//   typing error would abort the program; without it the parser runs on past the check. Here its
//   asserts throw, and parse_toml() reports an error.
// - It marks as unreachable what any letter beyond ASCII reaches outside a string, such as the "é"
// in
//   "é = 1": it asks whether that is a blank. Here the answer is no, as it should be.
#pragma once

#include "common/result.hpp"

namespace ddp {
struct TomlAssert {};
// A function: a throw that the compiler sees within toml++'s noexcept members draws warnings.
[[noreturn]] inline void fail_toml_assert() { throw TomlAssert{}; }
}  // namespace ddp

#define TOML_ASSERT(expr) ((expr) ? void() : ::ddp::fail_toml_assert())

#include <toml++/impl/forward_declarations.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()
#include <toml++/toml.h>

#include <optional>
#include <string>
#include <string_view>

namespace ddp {

// Parses `text` as the content of `path`, which errors and source positions name. The error begins
// with "path:line:column: " or, where toml++ loses the column, "path:line: ".
Result<toml::table> parse_toml(std::string_view text, const std::string& path);

// "path:line:column: ", the start of a message about a place in a file.
std::string toml_place(const std::string& path, const toml::source_position& position);

// A string, an integer or a number with a fraction as the command line would spell it; nullopt for
// any other type. A number with a fraction gets the fewest digits that read back the same.
std::optional<std::string> toml_scalar_text(const toml::node& node);

}  // namespace ddp
