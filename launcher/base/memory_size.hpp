// An amount of memory or disk space as text.
#pragma once

#include <cstdint>
#include <string>

namespace ddp {

// "64 MiB", "1.5 GiB", "512 bytes".
std::string memory_size(std::uint64_t bytes);

}  // namespace ddp
