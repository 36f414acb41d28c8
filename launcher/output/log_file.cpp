#include "launcher/output/log_file.hpp"

#include "common/write_all.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace ddp::out {

std::string log_path(const std::string& log_dir, int generation, int local_rank,
                     const char* file_name) {
  return log_dir + "/attempt_" + std::to_string(generation) + "/" + std::to_string(local_rank) +
         "/" + file_name;
}

Result<LogFile> LogFile::open(const std::string& path) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{directory.string() + ": " + failure.message()};
  // O_NONBLOCK: the path may be a FIFO, and then open(2) would wait for its reader.
  os::ScopedFd fd(::open(path.c_str(),
                         O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644));
  if (!fd.valid()) return Error{path + ": " + std::strerror(errno)};
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && S_ISFIFO(status.st_mode))
    return Error{path + ": is a FIFO, not a file"};
  // A worker may get the descriptor as its output, which must be blocking.
  if (::fcntl(fd.get(), F_SETFL, O_APPEND) == -1) return Error{path + ": " + std::strerror(errno)};
  return LogFile(std::move(fd), path);
}

std::string LogFile::write(std::string_view bytes) {
  if (!fd_.valid() || write_all(fd_.get(), bytes)) return {};
  const std::string reason = std::strerror(errno);
  fd_.reset();
  return path_ + ": " + reason;
}

std::string LogFile::loss() const {
  struct stat status {};
  if (!fd_.valid() || ::fstat(fd_.get(), &status) != 0 || status.st_nlink > 0) return {};
  return path_ + ": the file was removed while it was written";
}

}  // namespace ddp::out
