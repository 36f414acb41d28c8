#include "launcher/os/port.hpp"

#include "launcher/os/fd.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>
#include <vector>

namespace {

using ddp::os::PortReservation;
using ddp::os::ScopedFd;

// Binds and listens on 127.0.0.1 as a rendezvous store does; false if refused.
bool can_listen(std::uint16_t port, bool reuse) {
  const ScopedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = reuse ? 1 : 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
         ::listen(fd.get(), 1) == 0;
}

std::uint16_t any_port() {
  const ScopedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("a reserved port is a worker's to listen on and nobody else's to get") {
  auto reserved = PortReservation::any();
  REQUIRE(reserved);
  CHECK(can_listen(reserved->port(), /*reuse=*/true));
  CHECK_FALSE(can_listen(reserved->port(), /*reuse=*/false));  // the control: it is taken
  for (int i = 0; i < 2000; ++i) REQUIRE(any_port() != reserved->port());
}

TEST_CASE("two reservations never share a port, and one that ended is free") {
  std::vector<PortReservation> held;
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 100; ++i) {
    auto reserved = PortReservation::any();
    REQUIRE(reserved);
    CHECK(ports.insert(reserved->port()).second);
    held.push_back(std::move(*reserved));
  }
  const auto port = held.back().port();
  held.clear();
  CHECK(can_listen(port, /*reuse=*/false));
}
