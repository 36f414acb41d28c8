#include "launcher/os/cgroup.hpp"

#include "launcher/os/mechanism.hpp"
#include "launcher/os/proc.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <vector>

namespace ddp::os {
namespace {

// The directory of this process's v2 cgroup; empty when it is not mounted.
std::string own_directory() {
  const auto membership = read_file("/proc/self/cgroup");
  if (!membership) return {};
  std::istringstream lines(*membership);
  std::string path;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("0::", 0) == 0) path = line.substr(3);
  }
  if (path.empty()) return {};

  const auto mounts = read_file("/proc/self/mountinfo");
  if (!mounts) return {};
  std::istringstream table(*mounts);
  for (std::string line; std::getline(table, line);) {
    const auto separator = line.find(" - cgroup2 ");
    if (separator == std::string::npos) continue;
    // "36 35 0:30 <root> <mount point> <options> … - cgroup2 …"
    std::istringstream fields(line);
    std::string id, parent, device, root, mount;
    fields >> id >> parent >> device >> root >> mount;
    if (root == "/") return mount + (path == "/" ? "" : path);
    if (path.rfind(root, 0) == 0) return mount + path.substr(root.size());
  }
  return {};
}

}  // namespace

std::optional<Cgroup> Cgroup::make_leaf() {
  if (is_off(Mechanism::cgroup)) return std::nullopt;
  const std::string parent = own_directory();
  if (parent.empty()) return std::nullopt;
  // The pid is not enough: launches in different PID namespaces can have the same.
  std::string path = parent + "/ddp-launch." + std::to_string(::getpid()) + ".XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return std::nullopt;
  return open(path);
}

std::optional<Cgroup> Cgroup::make_successor(int number) const {
  const std::string path = path_ + "/" + std::to_string(number);
  if (::mkdir(path.c_str(), 0700) == -1) return std::nullopt;
  return open(path);
}

std::optional<Cgroup> Cgroup::open(const std::string& path) {
  ScopedFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) {
    ::rmdir(path.c_str());
    return std::nullopt;
  }
  return Cgroup(path, std::move(directory));
}

void Cgroup::kill() const {
  const ScopedFd file(::openat(directory_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  // The subreaper's rounds find what this misses.
  if (file.valid()) [[maybe_unused]]
    const ssize_t written = ::write(file.get(), "1", 1);
}

void Cgroup::remove() const {
  std::error_code ignored;
  std::vector<std::string> below;
  for (std::filesystem::recursive_directory_iterator it(path_, ignored), end; it != end && !ignored;
       it.increment(ignored)) {
    if (it->is_directory(ignored)) below.push_back(it->path());
  }
  // Deepest first. A cgroup with a process in it stays.
  for (auto it = below.rbegin(); it != below.rend(); ++it) ::rmdir(it->c_str());
  ::rmdir(path_.c_str());
}

}  // namespace ddp::os
