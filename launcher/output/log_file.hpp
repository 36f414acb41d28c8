// One worker stream's file in torchrun's layout: <dir>/attempt_<k>/<local_rank>/stdout.log.
#pragma once

#include "common/result.hpp"
#include "launcher/os/fd.hpp"

#include <string>
#include <string_view>

namespace ddp::out {

std::string log_path(const std::string& log_dir, int generation, int local_rank,
                     const char* file_name);

class LogFile {
 public:
  // Makes missing directories (mode 0755) and opens the file for appending (mode 0644). The error
  // names the path and the reason.
  static Result<LogFile> open(const std::string& path);
  LogFile() = default;

  bool is_open() const { return fd_.valid(); }
  const std::string& path() const { return path_; }
  os::ScopedFd release() { return std::move(fd_); }

  // Writes all bytes. Returns an empty string, or the path and the reason: then the file is closed.
  // A file that is not open takes nothing and does not fail.
  std::string write(std::string_view bytes);
  // Returns an empty string, or why the written bytes are lost (the file was removed meanwhile).
  std::string loss() const;

 private:
  LogFile(os::ScopedFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  os::ScopedFd fd_;
  std::string path_;
};

}  // namespace ddp::out
