#include "launcher/output/console_sink.hpp"

#include "launcher/os/fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace asio = boost::asio;

namespace ddp::out {
namespace {

enum class Way { non_blocking, socket, direct, polled };

struct Opened {
  os::ScopedFd fd;
  Way way = Way::direct;
  bool terminal = false;
};

Opened open_own(int fd) {
  Opened opened;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return opened;  // closed: the first write fails
  opened.terminal = ::isatty(fd) == 1;
  if (S_ISFIFO(status.st_mode) || opened.terminal) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    opened.fd = os::ScopedFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    opened.way = opened.fd.valid() ? Way::non_blocking : Way::polled;
  } else if (S_ISSOCK(status.st_mode)) {
    opened.way = Way::socket;
  }
  if (!opened.fd.valid()) opened.fd = os::ScopedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  return opened;
}

}  // namespace

bool same_sink(int fd, int other_fd) {
  struct stat one {};
  struct stat other {};
  if (::fstat(fd, &one) != 0 || ::fstat(other_fd, &other) != 0) return false;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

struct ConsoleSink::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, Opened opened) : fd(io), way(opened.way), terminal(opened.terminal) {
    boost::system::error_code failure;
    if (opened.fd.valid()) fd.assign(opened.fd.get(), failure);
    // epoll refuses regular files (EPERM), which Asio handles. Any other failure leaves the sink
    // closed, and the first write reports it.
    if (!failure) opened.fd.release();
  }

  asio::posix::stream_descriptor fd;
  Way way;
  bool terminal;
  bool lost = false;
  std::uint64_t taken = 0;
  bool waiting = false;
  bool closed = false;  // the ConsoleSink is gone; handlers may still be queued
  OutBuffer buffer;
  std::string name;
  std::function<void()> on_progress;
  std::function<void(std::string)> on_loss;

  // As write(2), but fails with EAGAIN instead of waiting.
  ssize_t write_some(std::string_view bytes) {
    const int raw = fd.is_open() ? fd.native_handle() : -1;
    if (way == Way::socket) {
      return ::send(raw, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (way == Way::polled) {
      pollfd writable{raw, POLLOUT, 0};
      if (::poll(&writable, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
      }
      bytes = bytes.substr(0, PIPE_BUF);
    }
    return ::write(raw, bytes.data(), bytes.size());
  }

  void flush() {
    if (waiting) return;
    if (lost) return buffer.clear();
    while (!buffer.empty()) {
      const std::size_t asked = buffer.size();
      const ssize_t n = write_some(buffer.pending());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) return lose(errno);
      if (n > 0)
        buffer.consume(static_cast<std::size_t>(n)), taken += static_cast<std::uint64_t>(n);
      // A pipe or terminal that takes only a part is full: another call would be wasted.
      const bool full = n <= 0 || (way == Way::non_blocking && static_cast<std::size_t>(n) < asked);
      if (full) return wait();
    }
  }

  void wait() {
    waiting = true;
    fd.async_wait(asio::posix::stream_descriptor::wait_write,
                  [self = shared_from_this()](const boost::system::error_code& failure) {
                    if (self->closed) return;
                    self->waiting = false;
                    if (failure) {
                      self->lose(failure.value());
                    } else {
                      self->flush();
                    }
                    // on_loss may have destroyed the owner.
                    if (!self->closed) self->on_progress();
                  });
  }

  void lose(int error) {
    lost = true;
    buffer.clear();
    const char* what = error == EPIPE ? "reader closed" : "cannot be written";
    on_loss(name + ": " + what + " (" + std::strerror(error) + ")");
  }
};

ConsoleSink::ConsoleSink(asio::io_context& io, int fd, std::string name,
                         std::function<void()> on_progress,
                         std::function<void(std::string)> on_loss)
    : state_(std::make_shared<State>(io, open_own(fd))) {
  state_->name = std::move(name);
  state_->on_progress = std::move(on_progress);
  state_->on_loss = std::move(on_loss);
}

ConsoleSink::~ConsoleSink() {
  state_->closed = true;
  boost::system::error_code ignored;
  state_->fd.close(ignored);
}

bool ConsoleSink::is_terminal() const { return state_->terminal; }
bool ConsoleSink::lost() const { return state_->lost; }
std::uint64_t ConsoleSink::taken() const { return state_->taken; }
OutBuffer& ConsoleSink::buffer() { return state_->buffer; }
const OutBuffer& ConsoleSink::buffer() const { return state_->buffer; }
void ConsoleSink::flush() { state_->flush(); }

bool ConsoleSink::write_waiting(std::chrono::milliseconds at_most) {
  const int raw = state_->fd.is_open() ? state_->fd.native_handle() : -1;
  pollfd writable{raw, POLLOUT, 0};
  const int ready = ::poll(&writable, 1, static_cast<int>(at_most.count()));
  if (ready < 0 && errno == EINTR) return true;  // the caller asks again within its deadline
  if (ready <= 0) return false;
  const std::size_t before = state_->buffer.size();
  state_->waiting = false;  // the event loop has stopped: nothing else writes
  state_->flush();
  return state_->buffer.size() < before;
}

}  // namespace ddp::out
