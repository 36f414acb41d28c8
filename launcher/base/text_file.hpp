// A file that the user named, read whole.
#pragma once

#include "common/result.hpp"

#include <cstddef>
#include <string>

namespace ddp {

// The error is the reason alone. Refused are what is larger than `largest` bytes, and whatever is
// no regular file: a directory has nothing to read, a device may have no end, a FIFO no writer.
Result<std::string> read_text_file(const std::string& path, std::size_t largest);

}  // namespace ddp
