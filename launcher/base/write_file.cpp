#include "launcher/base/write_file.hpp"

#include "common/write_all.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace ddp {
namespace {

// Takes the result of open(2), writes and closes. An empty string, or the reason.
std::string write_to(int fd, const std::string& text, std::optional<mode_t> mode) {
  if (fd < 0) return std::strerror(errno);
  std::string failure;
  if ((mode && ::fchmod(fd, *mode) != 0) || !write_all(fd, text)) failure = std::strerror(errno);
  ::close(fd);
  return failure;
}

}  // namespace

std::string write_whole_file(const std::string& path, const std::string& text,
                             std::optional<mode_t> mode) {
  namespace fs = std::filesystem;
  std::error_code absent;
  const fs::path target = fs::canonical(path, absent);  // what a link points to, not the link
  const std::string file_path = absent ? path : target.string();
  std::string failure;
  if (!absent && !fs::is_regular_file(target, absent)) {
    failure = write_to(::open(file_path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK), text, {});
  } else {
    const std::string temporary = file_path + "." + std::to_string(::getpid()) + ".tmp";
    failure = write_to(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644),
                       text, mode);
    if (failure.empty() && std::rename(temporary.c_str(), file_path.c_str()) != 0)
      failure = std::strerror(errno);
    if (!failure.empty()) ::unlink(temporary.c_str());
  }
  return failure.empty() ? "" : path + ": " + failure;
}

}  // namespace ddp
