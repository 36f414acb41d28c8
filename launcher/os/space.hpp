// Space on file systems, and what the cgroups of this process allow it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ddp::os {

struct Space {
  std::uint64_t total = 0;      // bytes
  std::uint64_t available = 0;  // to this user
};

// Of the file system that `path` is on. nullopt, with errno set: the system does not say.
std::optional<Space> space_at(const std::string& path);

// The CPUs' worth of time that the tightest cgroup above this process allows. nullopt: no limit, or
// none that can be read. `root` is "/" except in tests.
std::optional<double> cpu_quota(const std::string& root = "/");

struct MemoryLimit {
  std::uint64_t limit = 0;  // bytes
  std::uint64_t used = 0;
};
// Of the cgroup that has the least left. nullopt as above.
std::optional<MemoryLimit> memory_limit(const std::string& root = "/");

// What the kernel could give without swapping (MemAvailable), in bytes.
std::optional<std::uint64_t> memory_available(const std::string& root = "/");

}  // namespace ddp::os
