#include "launcher/os/port.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace ddp::os {
namespace {

// Port 0 in, the port bound out; 0 with errno set on failure.
template <class Address>
std::uint16_t bind_any(int fd, Address address, in_port_t Address::*port) {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1) return 0;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == -1) return 0;
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == -1) return 0;
  return ntohs(address.*port);
}

}  // namespace

Result<PortReservation> PortReservation::any() {
  // One IPv6 socket that is not IPv6-only covers both families.
  ScopedFd v6(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int off = 0;
  if (v6.valid() && ::setsockopt(v6.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    if (const auto port = bind_any(v6.get(), address, &sockaddr_in6::sin6_port))
      return PortReservation(std::move(v6), port);
  }
  ScopedFd v4(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (v4.valid()) {
    if (const auto port = bind_any(v4.get(), address, &sockaddr_in::sin_port))
      return PortReservation(std::move(v4), port);
  }
  return Error{std::string("no port could be reserved for MASTER_PORT: ") + std::strerror(errno)};
}

}  // namespace ddp::os
