#include "launcher/os/run_dir.hpp"

#include "common/env_names.hpp"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <utility>
#include <vector>

namespace ddp::os {
namespace {

// sun_path holds 108 bytes; the longest name within is "/notify.4095".
constexpr std::size_t kLongest = 90;

// Makes a directory in the first directory of `variables` that allows it, else in /tmp.
Result<std::string> make_private_dir(std::initializer_list<const char*> variables,
                                     std::size_t longest) {
  std::vector<std::string> candidates;
  std::string tried;
  for (const char* variable : variables) {
    tried += std::string(variable) + ", ";
    const char* const value = std::getenv(variable);
    if (value != nullptr && *value == '/') candidates.emplace_back(value);
  }
  candidates.emplace_back("/tmp");
  std::string reason;
  for (const auto& candidate : candidates) {
    std::string path = candidate + "/" + kRunDirPrefix + "XXXXXX";
    if (path.size() > longest) {
      reason = candidate + ": the path is too long for a unix socket";
      continue;
    }
    if (::mkdtemp(path.data()) != nullptr) return path;
    reason = candidate + ": " + std::strerror(errno);
  }
  return Error{"no private directory could be made (tried " + tried + "/tmp): " + reason};
}

}  // namespace

Result<std::string> make_run_dir() {
  return make_private_dir({env::kXdgRuntimeDir, env::kTmpDir}, kLongest);
}

Result<std::string> make_scratch_dir() { return make_private_dir({env::kTmpDir}, PATH_MAX); }

LogDir make_log_dir(const std::string& parent, const std::string& name, bool prepared) {
  constexpr int kMost = 10'000;  // runs with the same name
  LogDir made;
  if (parent.empty()) return made;
  std::error_code failed;
  std::filesystem::create_directories(parent, failed);
  if (failed) {
    made.failure = parent + ": " + failed.message();
    return made;
  }
  const std::string first = parent + "/" + name;
  std::string path = first;
  for (int number = 2; ::mkdir(path.c_str(), 0777) != 0; ++number) {
    if (prepared && errno == EEXIST) break;
    if (errno != EEXIST || number > kMost) {
      made.failure = path + ": " + std::strerror(errno);
      return made;
    }
    made.taken = first;
    path = first + "." + std::to_string(number);
  }
  made.path = std::move(path);
  return made;
}

void remove_run_dir(const std::string& path) {
  if (path.empty()) return;
  std::error_code failed;
  std::filesystem::remove_all(path, failed);
  // remove_all needs a descriptor to read the directory. A launch that got none has put nothing
  // there, so rmdir is enough.
  if (failed) ::rmdir(path.c_str());
}

}  // namespace ddp::os
