// The text of preload.py, which the build puts into the program.
#pragma once

#include <string_view>

namespace ddp {

extern const std::string_view kPreloadProgram;

}  // namespace ddp
