#include "launcher/os/run_dir.hpp"

#include "common/env_names.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace ddp::os {
namespace {

// sun_path holds 108 bytes; the longest name within is "/notify.4095".
constexpr std::size_t kLongest = 90;

}  // namespace

Result<std::string> make_run_dir() {
  std::string reason = "no candidate";
  const char* const candidates[] = {std::getenv(env::kXdgRuntimeDir), std::getenv(env::kTmpDir),
                                    "/tmp"};
  for (const char* candidate : candidates) {
    if (candidate == nullptr || *candidate != '/') continue;
    std::string path = std::string(candidate) + "/ddp-launch-XXXXXX";
    if (path.size() > kLongest) {
      reason = std::string(candidate) + ": the path is too long for a unix socket";
      continue;
    }
    if (::mkdtemp(path.data()) != nullptr) return path;
    reason = std::string(candidate) + ": " + std::strerror(errno);
  }
  return Error{"no private directory could be made (tried XDG_RUNTIME_DIR, TMPDIR and /tmp): " +
               reason};
}

void remove_run_dir(const std::string& path) {
  if (path.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace ddp::os
