#include "launcher/output/stream_ends.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace ddp::out {

Result<StreamEnds> open_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error{std::string("a pipe: ") + std::strerror(errno)};
  StreamEnds pipe{os::ScopedFd(ends[0]), os::ScopedFd(ends[1])};
  // Only the launcher's side: the worker's is a separate description and stays blocking.
  if (::fcntl(pipe.ours.get(), F_SETFL, O_NONBLOCK) != 0)
    return Error{std::string("a pipe: fcntl O_NONBLOCK: ") + std::strerror(errno)};
  return pipe;
}

Result<StreamEnds> open_terminal(os::WindowSize size) {
  auto pty = os::open_pty(size);
  if (!pty) return Error{"a pseudo terminal: " + pty.error()};
  return StreamEnds{std::move(pty->master), std::move(pty->slave)};
}

}  // namespace ddp::out
