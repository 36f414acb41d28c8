#include "launcher/os/oom.hpp"

#include <fstream>
#include <string>

namespace ddp::os {
namespace {

// The number after `name` in a file of "name number" lines.
std::optional<std::uint64_t> read_counter(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  std::uint64_t value = 0;
  while (file >> word) {
    if (word == name && file >> value) return value;
    file.clear();
    std::getline(file, word);
  }
  return std::nullopt;
}

// The path of this process's cgroup in the hierarchy whose controller list is `controllers` ("" for
// v2).
std::string own_cgroup(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    if (line.substr(first + 1, second - first - 1) == controller) return line.substr(second + 1);
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> oom_kills() {
  const std::string v2 = own_cgroup("");
  if (!v2.empty()) {
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      if (const auto count = read_counter(mount + v2 + "/memory.events", "oom_kill")) return count;
    }
  }
  const std::string v1 = own_cgroup("memory");
  if (!v1.empty()) {
    if (const auto count =
            read_counter("/sys/fs/cgroup/memory" + v1 + "/memory.oom_control", "oom_kill"))
      return count;
  }
  return read_counter("/proc/vmstat", "oom_kill");
}

}  // namespace ddp::os
