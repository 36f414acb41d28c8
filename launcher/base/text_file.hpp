// Reads a file that the user named.
#pragma once

#include "common/result.hpp"

#include <cstddef>
#include <string>

namespace ddp {

// The whole content. The error is the reason alone. Refuses a file of more than `largest` bytes,
// and everything that is not a regular file: a device may have no end, a FIFO no writer.
Result<std::string> read_text_file(const std::string& path, std::size_t largest);

}  // namespace ddp
