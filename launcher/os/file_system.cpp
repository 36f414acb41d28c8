#include "launcher/os/file_system.hpp"

#include "launcher/os/fd.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <string_view>

namespace ddp::os {

std::optional<Space> space_of(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return std::nullopt;
  // Some file systems count no inodes.
  return Space{info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize,
               info.f_files == 0 || info.f_favail > 0};
}

bool first_line_ends_in_crlf(const std::string& path) {
  // O_NONBLOCK: it may be a FIFO without a writer.
  const ScopedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return false;
  char bytes[256];
  const ssize_t count = ::pread(file.get(), bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  const std::string_view text(bytes, static_cast<std::size_t>(count));
  const auto end = text.find('\n');
  return end != std::string_view::npos && end > 0 && text[end - 1] == '\r';
}

}  // namespace ddp::os
