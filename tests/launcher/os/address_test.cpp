#include "launcher/os/address.hpp"

#include "launcher/os/fd.hpp"
#include "tests/support/reserved_port.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace ddp::os;

struct Listener {
  ScopedFd fd;
  std::uint16_t port = 0;
};
// At any port of the loopback address; without SO_REUSEADDR, listening or only bound.
Listener listener(int family, bool listens = true) {
  Listener made{ScopedFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET)
    reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else
    reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(made.fd.get(), any, size) != 0) return {};
  if (listens) REQUIRE(::listen(made.fd.get(), 1) == 0);
  REQUIRE(::getsockname(made.fd.get(), any, &size) == 0);
  made.port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                      : reinterpret_cast<sockaddr_in6&>(address).sin6_port);
  return made;
}

}  // namespace

TEST_CASE("loopback is an own address, documentation addresses are not") {
  CHECK(is_own_address("127.0.0.1"));
  CHECK(is_own_address("127.1.2.3"));
  CHECK_FALSE(is_own_address("192.0.2.1"));  // RFC 5737
  if (listener(AF_INET6).fd.valid()) {
    CHECK(is_own_address("::1"));
    CHECK_FALSE(is_own_address("2001:db8::1"));  // RFC 3849
  }
  // Text that is no address counts as own: the kernel does not know it.
  CHECK(is_own_address("no address"));
}

TEST_CASE("a port with a listener is in use, at that address and at all of them") {
  for (const int family : {AF_INET, AF_INET6}) {
    CAPTURE(family);
    auto stranger = listener(family);
    if (!stranger.fd.valid()) {
      MESSAGE("no IPv6 loopback here");
      continue;
    }
    const char* const address = family == AF_INET ? "127.0.0.1" : "::1";
    CHECK(port_is_in_use(address, stranger.port));
    CHECK(port_is_in_use("", stranger.port));
    CHECK_FALSE(port_is_in_use(family == AF_INET ? "127.0.0.2" : "127.0.0.1", stranger.port));
    const auto users = users_of_port(stranger.port);
    REQUIRE(users.size() == 1);
    CHECK(users[0].pid == ::getpid());
    CHECK(users[0].command == "os_network");
    // Control: the port is free once the other process closes it.
    stranger.fd.reset();
    CHECK_FALSE(port_is_in_use(address, stranger.port));
    CHECK_FALSE(port_is_in_use("", stranger.port));
    CHECK(users_of_port(stranger.port).empty());
  }
}

TEST_CASE("a bound port is in use unless it has SO_REUSEADDR and no listener") {
  const auto bound = listener(AF_INET, /*listens=*/false);
  CHECK(port_is_in_use("127.0.0.1", bound.port));
  const ddp::test::ReservedPort held;
  CHECK_FALSE(port_is_in_use("127.0.0.1", held.number()));
  CHECK_FALSE(port_is_in_use("", held.number()));
}
