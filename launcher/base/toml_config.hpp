// What toml++ includes before anything of its own (TOML_CONFIG_HEADER): its asserts throw.
//
// toml++ 3.3 asserts where a bracket is followed by what begins no key ("[." or "[\n"): with
// assert(3) a typing error would end the program, without it the parser runs on past the check.
#pragma once

namespace ddp {
struct TomlAssert {};
// A function, for a throw that the compiler sees within toml++'s noexcept members draws warnings.
[[noreturn]] inline void fail_toml_assert() { throw TomlAssert{}; }
}  // namespace ddp

#define TOML_ASSERT(expr) ((expr) ? void() : ::ddp::fail_toml_assert())
