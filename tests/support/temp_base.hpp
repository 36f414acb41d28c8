// Where tests make their directories.
#pragma once

#include <cstddef>
#include <filesystem>

namespace ddp::test {

// TMPDIR, or /tmp where a socket below it would have a name longer than the 107 bytes the kernel
// takes: a scene's is the TMPDIR of a launch, whose sockets lie some 60 characters deeper.
inline std::filesystem::path temp_base() {
  constexpr std::size_t kLongest = 40;
  const auto path = std::filesystem::temp_directory_path();
  return path.string().size() <= kLongest ? path : std::filesystem::path("/tmp");
}

}  // namespace ddp::test
