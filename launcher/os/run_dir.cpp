#include "launcher/os/run_dir.hpp"

#include "common/env_names.hpp"

#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <vector>

namespace ddp::os {
namespace {

// sun_path holds 108 bytes; the longest name within is "/notify.4095".
constexpr std::size_t kLongest = 90;

// In the first of `variables` that names a directory where one can be made, else in /tmp.
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
    std::string path = candidate + "/ddp-launch-XXXXXX";
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

void remove_run_dir(const std::string& path) {
  if (path.empty()) return;
  std::error_code failed;
  std::filesystem::remove_all(path, failed);
  // Which looks inside, and so needs a descriptor; a launch that got none has put nothing there.
  if (failed) ::rmdir(path.c_str());
}

}  // namespace ddp::os
