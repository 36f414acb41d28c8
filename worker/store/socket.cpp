#include "worker/store/socket.hpp"

#include "worker/base/failure.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>

namespace ddp::worker {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, std::uint16_t port, int flags, std::string& why) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(),
                               &hints, &found);
  if (code != 0) why = code == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(code);
  return {code == 0 ? found : nullptr, &freeaddrinfo};
}

Socket bind_and_listen(const addrinfo& address) {
  constexpr int kBacklog = 1024;  // all ranks may connect at the same moment
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!socket.valid() || setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    const int error = errno;
    socket.reset();
    errno = error;
  }
  return socket;
}

bool connected_to_itself(int fd) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_size = sizeof here;
  socklen_t there_size = sizeof there;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
         getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 &&
         here_size == there_size && std::memcmp(&here, &there, here_size) == 0;
}

// Returns 0 when connected, otherwise an errno.
int connect_before(int fd, const addrinfo& address, Deadline deadline) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd wait{fd, POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, poll_timeout(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return errno;
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

// Waits for `events`; false once the deadline has passed.
bool wait_for(int fd, short events, Deadline deadline) {
  pollfd wait{fd, events, 0};
  while (true) {
    const int ready = ::poll(&wait, 1, poll_timeout(deadline));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw Failure(std::string("poll: ") + std::strerror(errno));
  }
}

}  // namespace

std::string place(const std::string& host, std::uint16_t port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Socket::~Socket() { reset(); }

void Socket::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int poll_timeout(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

Socket listen_on(const std::string& host, std::uint16_t port) {
  std::string why;
  const auto refused = [&](const std::string& reason) {
    return Failure("the store cannot listen at " + place(host, port) + ": " + reason);
  };
  const Addresses own = resolve(host, port, 0, why);
  if (!own) throw refused(why);
  Socket socket = bind_and_listen(*own);
  if (!socket.valid() && errno == EADDRNOTAVAIL) {
    const Addresses any = resolve("", port, AI_PASSIVE, why);
    if (!any) throw refused(why);
    socket = bind_and_listen(*any);
  }
  if (!socket.valid()) throw refused(std::strerror(errno));
  return socket;
}

std::uint16_t local_port(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw Failure(std::string("getsockname: ") + std::strerror(errno));
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::optional<Socket> try_connect(const std::string& host, std::uint16_t port, Deadline deadline,
                                  std::string& why) {
  const Addresses addresses = resolve(host, port, 0, why);
  for (const addrinfo* it = addresses.get(); it != nullptr; it = it->ai_next) {
    Socket socket(::socket(it->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) {
      why = std::strerror(errno);
      continue;
    }
    const int error = connect_before(socket.get(), *it, deadline);
    if (error != 0) {
      why = std::strerror(error);
      continue;
    }
    // Without a listener, the kernel may choose the destination's port as the source port, and
    // TCP's simultaneous open connects the socket to itself.
    if (connected_to_itself(socket.get())) {
      why = "nothing listens there";
      continue;
    }
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
  }
  return std::nullopt;
}

std::string local_address(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char text[NI_MAXHOST] = {};
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text, sizeof text, nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    throw Failure("the address of this end of the store's connection cannot be read");
  }
  return text;
}

Io send_all(const Socket& socket, std::string_view data, Deadline deadline) {
  while (!data.empty()) {
    // MSG_NOSIGNAL: a closed peer is an error here, not a SIGPIPE.
    const ssize_t sent = ::send(socket.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.get(), POLLOUT, deadline)) return Io::timed_out;
    } else if (errno != EINTR) {
      return Io::closed;
    }
  }
  return Io::done;
}

Io receive_exactly(const Socket& socket, char* into, std::size_t size, Deadline deadline) {
  while (size > 0) {
    const ssize_t got = ::recv(socket.get(), into, size, 0);
    if (got > 0) {
      into += got;
      size -= static_cast<std::size_t>(got);
    } else if (got == 0) {
      return Io::closed;
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.get(), POLLIN, deadline)) return Io::timed_out;
    } else if (errno != EINTR) {
      return Io::closed;
    }
  }
  return Io::done;
}

}  // namespace ddp::worker
