// The environment as a function, so that a test can give another.
#pragma once

#include <functional>

namespace ddp {

// nullptr for "not set", as getenv(3).
using GetEnv = std::function<const char*(const char*)>;

}  // namespace ddp
