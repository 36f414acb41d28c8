#include "launcher/base/text_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ddp {

Result<std::string> read_text_file(const std::string& path, std::size_t largest) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Error{std::strerror(errno)};
  if (struct stat info{}; ::fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Error{"it is not a regular file"};
  }
  std::string text;
  char bytes[16384];
  ssize_t count = 0;
  int failure = 0;
  while (text.size() <= largest) {
    count = ::read(fd, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(bytes, static_cast<std::size_t>(count));
  }
  if (count < 0) failure = errno;
  ::close(fd);
  if (failure != 0) return Error{std::strerror(failure)};
  if (text.size() > largest)
    return Error{"it is larger than " + std::to_string(largest >> 20) + " MiB"};
  return text;
}

}  // namespace ddp
