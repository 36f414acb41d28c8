#include "launcher/os/file_system.hpp"

#include "launcher/os/fd.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace ddp::os {
namespace {

constexpr std::uint32_t kZfs = 0x2FC12FC1;  // of OpenZFS, which is not in the kernel's headers
// statfs(2). overlayfs: its upper layer cannot be a network file system.
constexpr std::uint32_t kLocal[] = {BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC,      F2FS_SUPER_MAGIC,
                                    MSDOS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, RAMFS_MAGIC,
                                    TMPFS_MAGIC,       XFS_SUPER_MAGIC,       kZfs};

}  // namespace

bool is_local(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) return false;
  const auto type = static_cast<std::uint32_t>(info.f_type);
  return std::find(std::begin(kLocal), std::end(kLocal), type) != std::end(kLocal);
}

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
