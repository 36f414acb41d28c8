#include "launcher/os/port.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <random>

namespace ddp::os {
namespace {

// The smallest range: two launches choose the same port at most once in so many draws, and then one
// of them draws again.
constexpr int kFewest = 1000;
constexpr int kMostDraws = 100;

// A range without the ports from `first` to `last`: the larger of the two parts that remain.
PortRange without(PortRange range, int first, int last) {
  const PortRange below{range.first, std::min(range.last, first - 1)};
  const PortRange above{std::max(range.first, last + 1), range.last};
  return above.last - above.first > below.last - below.first ? above : below;
}

template <class Address>
bool bind_to(int fd, const Address& address) {
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// Binds a socket to `port` (0: the kernel chooses) of every address, for both families where there
// is IPv6. Not valid on failure, with errno set.
ScopedFd bind_everywhere(std::uint16_t port, bool reuse) {
  const int on = 1;
  const int off = 0;
  const auto ready = [&](const ScopedFd& fd) {
    return fd.valid() &&
           (!reuse || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  };
  ScopedFd v6(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (ready(v6) && ::setsockopt(v6.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    if (bind_to(v6.get(), address)) return v6;
    if (errno == EADDRINUSE) return {};
  }
  ScopedFd v4(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (ready(v4) && bind_to(v4.get(), address)) return v4;
  return {};
}

// Takes the name that stands for a port among the launches of a network namespace. Not valid on
// failure, with errno set.
ScopedFd claim_name(int port) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "ddp-launch.port." + std::to_string(port);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ScopedFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return {};
  return fd;
}

std::minstd_rand seeded() {
  unsigned seed = 0;
  // Where the system has no random numbers yet, the pid distinguishes two launches.
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
    seed = static_cast<unsigned>(::getpid()) * 2654435761U;
  return std::minstd_rand(seed);
}

}  // namespace

PortRange automatic_ports(const std::string& path) {
  const ScopedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[32];
  const ssize_t size = fd.valid() ? ::read(fd.get(), text, sizeof text) : -1;
  const char* at = text;
  const char* const end = text + std::max<ssize_t>(size, 0);
  PortRange range;
  for (int* const number : {&range.first, &range.last}) {
    while (at < end && (*at == ' ' || *at == '\t')) ++at;
    const auto [stop, error] = std::from_chars(at, end, *number);
    if (error != std::errc{}) return {1, 65535};
    at = stop;
  }
  return range;
}

PortRange reservable_ports(PortRange automatic) {
  const PortRange above{std::max(automatic.last + 1, 10000), 65535};
  const PortRange below{10000, std::min(automatic.first - 1, 65535)};
  for (const PortRange& whole : {above, below}) {
    const PortRange range = without(whole, 30000, 32767);
    if (range.last - range.first + 1 >= kFewest) return range;
  }
  return {};
}

Result<PortReservation> PortReservation::any(PortRange automatic) {
  const PortRange range = reservable_ports(automatic);
  if (range.last < range.first) return by_socket();
  auto chance = seeded();
  std::uniform_int_distribution<int> draw(range.first, range.last);
  for (int i = 0; i < kMostDraws; ++i) {
    const int port = draw(chance);
    ScopedFd name = claim_name(port);
    if (!name.valid()) {
      if (errno == EADDRINUSE) continue;
      break;
    }
    // Without SO_REUSEADDR, which proves that the port is entirely free: not even a connection that
    // has just closed uses it. Closed at once: a socket that is not bound blocks no process.
    if (bind_everywhere(static_cast<std::uint16_t>(port), /*reuse=*/false).valid())
      return PortReservation(std::move(name), static_cast<std::uint16_t>(port));
    if (errno != EADDRINUSE) break;
  }
  return by_socket();
}

Result<PortReservation> PortReservation::by_socket() {
  ScopedFd socket = bind_everywhere(0, /*reuse=*/true);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (!socket.valid() ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Error{std::string("no port could be reserved for MASTER_PORT: ") + std::strerror(errno)};
  }
  const in_port_t port = address.ss_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                             : reinterpret_cast<const sockaddr_in&>(address).sin_port;
  return PortReservation(std::move(socket), ntohs(port));
}

}  // namespace ddp::os
