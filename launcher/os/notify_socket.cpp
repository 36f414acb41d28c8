#include "launcher/os/notify_socket.hpp"

#include "launcher/os/fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace ddp::os {
namespace {

constexpr int kMessagesPerTurn = 16;
constexpr int kMostDescriptors = 16;  // attached to one message; the kernel closes the rest

struct Received {
  enum class Kind { message, refused, none } kind = Kind::none;
  NotifyMessage message;
  std::vector<ScopedFd> descriptors;  // closing them answers a barrier
};

Received receive(int fd) {
  std::array<char, kNotifyMessageLimit + 1> text;
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMostDescriptors)>
          control;
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size == -1 && errno == EINTR);
  if (size == -1) return {};

  Received received{.kind = Received::Kind::refused};
  bool trusted = false;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int attached = -1;
        std::memcpy(&attached, CMSG_DATA(c) + i * sizeof(int), sizeof attached);
        received.descriptors.emplace_back(attached);
      }
    } else if (c->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(c), sizeof sender);
      trusted = sender.uid == ::getuid() || sender.uid == 0;
    }
  }
  const bool too_long = static_cast<std::size_t>(size) > kNotifyMessageLimit;
  if (trusted && !too_long) {
    received.kind = Received::Kind::message;
    received.message = parse_notify({text.data(), static_cast<std::size_t>(size)});
  }
  return received;
}

}  // namespace

class NotifySocket::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, ScopedFd socket, Handler handler)
      : io_(io), descriptor_(io, socket.release()), handler_(std::move(handler)) {}

  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code ec) {
                             if (!ec) self->turn();
                           });
  }

  void discard_queued() {
    // Bounded, because a sender could refill the queue without end. The kernel's buffer holds a few
    // hundred messages.
    for (int i = 0; i < 4096; ++i) {
      if (receive(descriptor_.native_handle()).kind == Received::Kind::none) return;
    }
  }

  void close() {
    handler_ = nullptr;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }

 private:
  void turn() {
    for (int i = 0; i < kMessagesPerTurn; ++i) {
      if (!descriptor_.is_open()) return;
      const auto received = receive(descriptor_.native_handle());
      if (received.kind == Received::Kind::none) {
        wait();
        return;
      }
      if (received.kind == Received::Kind::message && handler_) handler_(received.message);
    }
    // More may be queued: exits and other ranks come first.
    boost::asio::post(io_, [self = shared_from_this()] { self->turn(); });
  }

  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor descriptor_;
  Handler handler_;
};

Result<std::unique_ptr<NotifySocket>> NotifySocket::open(boost::asio::io_context& io,
                                                         const std::string& path, Handler handler) {
  const auto refused = [&](const char* what) {
    return Error{std::string(what) + " for worker notifications at " + path + ": " +
                 std::strerror(errno)};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return refused("no socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  ScopedFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return refused("no socket");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == -1)
    return refused("no sender credentials");
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == -1)
    return refused("cannot bind");
  auto impl = std::make_shared<Impl>(io, std::move(socket), std::move(handler));
  impl->wait();
  return std::unique_ptr<NotifySocket>(new NotifySocket(std::move(impl)));
}

NotifySocket::NotifySocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
NotifySocket::~NotifySocket() { impl_->close(); }
void NotifySocket::discard_queued() { impl_->discard_queued(); }

}  // namespace ddp::os
