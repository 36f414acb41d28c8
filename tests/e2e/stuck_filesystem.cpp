#include "tests/e2e/stuck_filesystem.hpp"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

namespace ddp::test {
namespace {

// The kernel refuses reads into less than 8 KiB and a page.
using Request = std::array<char, std::size_t{256} * 1024>;

bool answer_init(int fd) {
  Request request;
  if (read(fd, request.data(), request.size()) < static_cast<ssize_t>(sizeof(fuse_in_header))) {
    return false;
  }
  fuse_in_header in{};
  std::memcpy(&in, request.data(), sizeof in);
  struct {
    fuse_out_header header;
    fuse_init_out init;
  } out{};
  out.header.len = sizeof out;
  out.header.unique = in.unique;
  out.init.major = FUSE_KERNEL_VERSION;
  out.init.minor = FUSE_KERNEL_MINOR_VERSION;
  out.init.max_write = 4096;
  return in.opcode == FUSE_INIT && write(fd, &out, sizeof out) == sizeof out;
}

}  // namespace

std::optional<StuckFilesystem> StuckFilesystem::mount_at(const std::string& directory) {
  const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  const std::string options =
      "fd=" + std::to_string(fd) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
  if (mount("ddp-test", directory.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    close(fd);
    return std::nullopt;
  }
  StuckFilesystem mounted(fd, directory);
  if (!answer_init(fd)) return std::nullopt;
  return mounted;
}

StuckFilesystem::StuckFilesystem(StuckFilesystem&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), directory_(std::move(other.directory_)) {}

bool StuckFilesystem::swallow_request(const Deadline& deadline) const {
  pollfd waiting{fd_, POLLIN, 0};
  Request request;
  return poll(&waiting, 1, deadline.remaining_ms()) == 1 &&
         read(fd_, request.data(), request.size()) > 0;
}

void StuckFilesystem::release() {
  if (fd_ < 0) return;
  close(std::exchange(fd_, -1));  // the connection is aborted: every request fails
  umount2(directory_.c_str(), MNT_DETACH);
}

}  // namespace ddp::test
