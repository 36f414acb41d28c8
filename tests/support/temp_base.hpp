// Where tests make their directories.
#pragma once

#include <cstddef>
#include <filesystem>

namespace ddp::test {

// TMPDIR, or /tmp if a socket path below it would exceed the 107 bytes that the kernel
// allows: a scene is the TMPDIR of a launch, whose socket paths are some 60 characters longer.
inline std::filesystem::path temp_base() {
  constexpr std::size_t kLongest = 40;
  const auto path = std::filesystem::temp_directory_path();
  return path.string().size() <= kLongest ? path : std::filesystem::path("/tmp");
}

}  // namespace ddp::test
