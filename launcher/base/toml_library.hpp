// toml++, as every user of it here has to include it.
//
// toml++ 3.3 takes for unreachable what any letter beyond ASCII reaches outside a string, such as
// the "é" in "é = 1": it asks whether that is a blank. Here the answer is no, as it should be.
#pragma once

#include <toml++/impl/forward_declarations.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()
#include <toml++/toml.h>
