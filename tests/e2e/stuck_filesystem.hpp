// A file system that never answers: whoever touches it sleeps in the kernel, and once killed can
// neither die nor wake until the file system is gone. The way of a network mount whose server is
// away, and the only honest way to have a process that SIGKILL does not end.
#pragma once

#include "tests/support/deadline.hpp"

#include <optional>
#include <string>

namespace ddp::test {

class StuckFilesystem {
 public:
  // Mounts it at `directory`, which must exist; nothing where FUSE or the right to mount is
  // missing.
  static std::optional<StuckFilesystem> mount_at(const std::string& directory);
  StuckFilesystem(StuckFilesystem&& other) noexcept;
  StuckFilesystem& operator=(StuckFilesystem&&) = delete;
  ~StuckFilesystem() { release(); }

  // Takes the next request, which will never be answered. False when none comes in time.
  bool swallow_request(const Deadline& deadline = Deadline()) const;
  // Ends it: those who sleep in it get an error, and die if they were killed.
  void release();

 private:
  StuckFilesystem(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}
  int fd_;
  std::string directory_;
};

}  // namespace ddp::test
