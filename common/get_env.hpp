// The environment as a function, which a test can replace.
#pragma once

#include <functional>

namespace ddp {

// As getenv(3): nullptr where the variable is not set.
using GetEnv = std::function<const char*(const char*)>;

}  // namespace ddp
