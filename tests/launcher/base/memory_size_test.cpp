#include "launcher/base/memory_size.hpp"

#include <doctest/doctest.h>

using ddp::memory_size;

TEST_CASE("memory sizes have a unit and at most one decimal") {
  constexpr std::uint64_t kMiB = 1 << 20;
  CHECK(memory_size(0) == "0 bytes");
  CHECK(memory_size(1023) == "1023 bytes");
  CHECK(memory_size(1024) == "1 KiB");
  CHECK(memory_size(1536) == "1.5 KiB");
  CHECK(memory_size(64 * kMiB) == "64 MiB");
  CHECK(memory_size(1024 * kMiB - 1) == "1 GiB");
  CHECK(memory_size(std::uint64_t(1) << 50) == "1024 TiB");
}
