#include "launcher/ddpctl/link.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace ddp::ctl {
namespace {

// A listener whose queue is full refuses at once.
constexpr std::chrono::milliseconds kTryAgain{10};

int milliseconds_until(std::optional<Clock::time_point> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max()));
}

// Another user may put a socket in /tmp; what it says is no launch of ours.
bool is_own(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || ::geteuid() == 0;
}

}  // namespace

std::optional<Link> Link::open(const std::string& path, Clock::time_point deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;  // nothing can listen there
  std::memcpy(address.sun_path, path.data(), path.size());
  os::ScopedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return std::nullopt;
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
         0) {
    if (errno != EAGAIN && errno != EINTR) return std::nullopt;
    if (Clock::now() >= deadline) return std::nullopt;
    ::poll(nullptr, 0, static_cast<int>(kTryAgain.count()));
  }
  if (!is_own(socket.get())) return std::nullopt;
  return Link(std::move(socket));
}

bool Link::wait(short events, std::optional<Clock::time_point> deadline) {
  pollfd waited{socket_.get(), events, 0};
  for (;;) {
    const int ready = ::poll(&waited, 1, milliseconds_until(deadline));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

bool Link::send(const std::string& text, Clock::time_point deadline) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t size =
        ::send(socket_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
    } else if (errno != EINTR && (errno != EAGAIN || !wait(POLLOUT, deadline))) {
      return false;
    }
  }
  return true;
}

std::optional<std::string> Link::line(std::optional<Clock::time_point> deadline) {
  for (;;) {
    if (const auto newline = received_.find('\n'); newline != std::string::npos) {
      std::string line = received_.substr(0, newline);
      received_.erase(0, newline + 1);
      return line;
    }
    if (!wait(POLLIN, deadline)) return std::nullopt;
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size > 0) {
      received_.append(bytes.data(), static_cast<std::size_t>(size));
    } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
      ended_ = true;
      return std::nullopt;
    }
  }
}

}  // namespace ddp::ctl
