// A file system that never answers: a process that uses it sleeps in the kernel, and once killed
// can neither die nor wake until the file system is gone. A network mount without its server
// behaves like this, and it is the only real way to get a process that survives SIGKILL.
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
  // Ends it: processes that sleep in it get an error, and die if they were killed.
  void release();

 private:
  StuckFilesystem(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}
  int fd_;
  std::string directory_;
};

}  // namespace ddp::test
