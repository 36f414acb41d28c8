#include "launcher/os/space.hpp"

#include "launcher/os/proc.hpp"

#include <sys/statvfs.h>

#include <charconv>
#include <cstddef>
#include <functional>
#include <sstream>
#include <string_view>
#include <vector>

namespace ddp::os {
namespace {

std::optional<std::uint64_t> number_at(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{}) return std::nullopt;  // "max": no limit
  return number;
}

// The directories of this process's cgroup and of those above it, from the leaf up: in the v1
// hierarchy of `controller`, and in v2. A container often shows its own cgroup as the root, under a
// path that does not exist there; the root comes last.
std::vector<std::string> cgroups(const std::string& root, std::string_view controller) {
  std::vector<std::string> directories;
  const auto add = [&](const std::string& mount, std::string path) {
    while (path.size() > 1) {
      directories.push_back(mount + path);
      path.resize(path.rfind('/'));
    }
    directories.push_back(mount);
  };
  std::istringstream lines(read_file(root + "/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    const std::string path = line.substr(second + 1);
    if (line.starts_with("0::")) add(root + "/sys/fs/cgroup", path);
    for (std::string name; std::getline(names, name, ',');) {
      if (name == controller) add(root + "/sys/fs/cgroup/" + name, path);
    }
  }
  return directories;
}

// "max 100000" or "150000 100000"
std::optional<double> quota_in(const std::string& directory) {
  if (const auto text = read_file(directory + "/cpu.max")) {
    std::istringstream words(*text);
    double quota = 0;
    double period = 0;
    if (words >> quota >> period && period > 0) return quota / period;
    return std::nullopt;
  }
  const auto quota = number_at(directory + "/cpu.cfs_quota_us");  // -1: none
  const auto period = number_at(directory + "/cpu.cfs_period_us");
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<MemoryLimit> limit_in(const std::string& directory) {
  const auto pair = [&](const char* limit, const char* used) -> std::optional<MemoryLimit> {
    const auto most = number_at(directory + limit);
    if (!most) return std::nullopt;
    return MemoryLimit{*most, number_at(directory + used).value_or(0)};
  };
  if (auto found = pair("/memory.max", "/memory.current")) return found;
  auto found = pair("/memory.limit_in_bytes", "/memory.usage_in_bytes");
  // v1's "no limit" is the largest multiple of a page.
  if (found && found->limit > std::uint64_t{1} << 60) return std::nullopt;
  return found;
}

std::uint64_t left(const MemoryLimit& limit) {
  return limit.limit > limit.used ? limit.limit - limit.used : 0;
}

}  // namespace

std::optional<Space> space_at(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return std::nullopt;
  return Space{std::uint64_t{status.f_blocks} * status.f_frsize,
               std::uint64_t{status.f_bavail} * status.f_frsize};
}

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> least;
  for (const auto& directory : cgroups(root, "cpu")) {
    const auto quota = quota_in(directory);
    if (quota && (!least || *quota < *least)) least = quota;
  }
  return least;
}

std::optional<MemoryLimit> memory_limit(const std::string& root) {
  std::optional<MemoryLimit> tightest;
  for (const auto& directory : cgroups(root, "memory")) {
    const auto limit = limit_in(directory);
    if (limit && (!tightest || left(*limit) < left(*tightest))) tightest = limit;
  }
  return tightest;
}

std::optional<std::uint64_t> memory_available(const std::string& root) {
  std::istringstream words(read_file(root + "/proc/meminfo").value_or(""));
  for (std::string word; words >> word;) {
    std::uint64_t kib = 0;
    if (word == "MemAvailable:" && words >> kib) return kib * 1024;
  }
  return std::nullopt;
}

}  // namespace ddp::os
