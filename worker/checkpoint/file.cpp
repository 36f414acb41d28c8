#include "worker/checkpoint/file.hpp"

#include "common/write_all.hpp"
#include "worker/base/failure.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace ddp::worker {
namespace {

Failure refused(const std::string& what, const std::string& path, int error) {
  return Failure("checkpoint: cannot " + what + " '" + path + "': " + std::strerror(error));
}

// Owns a descriptor. close() checks close(2), for files that were written.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return fd_; }
  // Network file systems may report a failed write only here.
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

}  // namespace

int write_and_sync(const std::string& path, const std::vector<std::span<const std::byte>>& pieces) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) return errno;
  for (const auto piece : pieces) {
    const std::string_view bytes(reinterpret_cast<const char*>(piece.data()), piece.size());
    if (!write_all(file.get(), bytes)) return errno;
  }
  if (::fsync(file.get()) != 0) return errno;
  return file.close() ? 0 : errno;
}

void write_durably(const std::string& directory, const std::string& name,
                   const std::string& temporary,
                   const std::vector<std::span<const std::byte>>& pieces) {
  const std::string path = directory + "/" + name;
  const std::string before = directory + "/" + temporary;
  if (const int error = write_and_sync(before, pieces); error != 0) {
    ::unlink(before.c_str());
    throw refused("write", path, error);
  }
  if (::rename(before.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(before.c_str());
    throw refused("rename the finished file to", path, error);
  }
  sync_directory(directory);
}

std::optional<std::vector<std::byte>> read_whole(const std::string& path, std::string& why) {
  const File file(path, O_RDONLY | O_NONBLOCK);
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    why = std::strerror(errno);
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode)) {
    why = "not a regular file";
    return std::nullopt;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(info.st_size));
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      why = std::strerror(errno);
      return std::nullopt;
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

void sync_directory(const std::string& directory) {
  const File file(directory, O_RDONLY | O_DIRECTORY);
  if (file.get() < 0 || ::fsync(file.get()) != 0) throw refused("sync", directory, errno);
}

void prepare_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw refused("create", directory, error.value());
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) throw refused("use", directory, errno);
  if (!S_ISDIR(info.st_mode)) throw refused("use", directory, ENOTDIR);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) throw refused("write into", directory, errno);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw refused("remove", path, errno);
}

}  // namespace ddp::worker
