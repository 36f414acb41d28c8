#include "launcher/os/port.hpp"

#include "launcher/os/fd.hpp"
#include "tests/launcher/os/children.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

namespace {

using ddp::os::automatic_ports;
using ddp::os::PortRange;
using ddp::os::PortReservation;
using ddp::os::reservable_ports;
using ddp::os::ScopedFd;

// A range that leaves no other ports.
constexpr PortRange kEveryPort{1024, 65535};

// Binds and listens on the loopback address as a rendezvous store does; invalid if refused.
ScopedFd listen_on(int family, std::uint16_t port, bool reuse) {
  ScopedFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = reuse ? 1 : 0;
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (family == AF_INET) {
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
  }
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1) != 0)
    return ScopedFd();
  return fd;
}
bool can_listen(int family, std::uint16_t port, bool reuse) {
  return listen_on(family, port, reuse).valid();
}

// The families with a loopback address here.
std::vector<int> families() {
  if (can_listen(AF_INET6, 0, false)) return {AF_INET, AF_INET6};
  MESSAGE("no IPv6 loopback here: IPv4 alone is tested");
  return {AF_INET};
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

bool is_within(PortRange range, int port) { return port >= range.first && port <= range.last; }

// Whether this machine's automatic range leaves ports to choose from; prints a message if not.
bool leaves_room() {
  const PortRange range = reservable_ports(automatic_ports());
  if (range.last >= range.first) return true;
  MESSAGE("net.ipv4.ip_local_port_range leaves no room here: only the fallback is tested");
  return false;
}

std::vector<PortReservation> reserve(int count) {
  std::vector<PortReservation> held;
  for (int i = 0; i < count; ++i) {
    auto reserved = PortReservation::any();
    REQUIRE(reserved);
    held.push_back(std::move(*reserved));
  }
  return held;
}

}  // namespace

TEST_CASE("a worker can bind a reserved port with SO_REUSEADDR and without") {
  if (!leaves_room()) return;
  for (const int family : families()) {
    for (const bool reuse : {true, false}) {
      CAPTURE(family);
      CAPTURE(reuse);
      auto reserved = PortReservation::any();
      REQUIRE(reserved);
      const ScopedFd store = listen_on(family, reserved->port(), reuse);
      CHECK(store.valid());
      // The control: now it is taken.
      CHECK_FALSE(can_listen(family, reserved->port(), reuse));
    }
  }
}

TEST_CASE("the kernel never assigns a reserved port to a process that asks for any port") {
  if (!leaves_room()) return;
  const auto held = reserve(50);
  std::set<std::uint16_t> ports;
  for (const auto& one : held) {
    CHECK_FALSE(is_within(automatic_ports(), one.port()));
    ports.insert(one.port());
  }
  for (int i = 0; i < 20'000; ++i) REQUIRE(ports.count(any_port()) == 0);
}

TEST_CASE("two reservations never share a port, and a released port is free") {
  std::set<std::uint16_t> ports;
  auto held = reserve(100);
  for (const auto& one : held) CHECK(ports.insert(one.port()).second);
  for (int i = 0; i < 5000; ++i) {
    auto more = PortReservation::any();
    REQUIRE(more);
    REQUIRE(ports.count(more->port()) == 0);
  }
  const auto port = held.back().port();
  held.clear();
  CHECK(can_listen(AF_INET, port, /*reuse=*/false));
}

TEST_CASE("two processes never reserve the same port") {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int each = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1000)) / 2;
  auto ready = ddp::test::make_pipe();
  auto go = ddp::test::make_pipe();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Both draw at the same time, and hold what they have until the other is done.
    std::vector<PortReservation> mine;
    std::string line;
    for (int i = 0; i < each; ++i) {
      auto reserved = PortReservation::any();
      if (!reserved) ::_exit(1);
      line += std::to_string(reserved->port()) + " ";
      mine.push_back(std::move(*reserved));
    }
    line += "\n";
    go.write.reset();
    char byte = 0;
    if (::write(ready.write.get(), line.data(), line.size()) < 0) ::_exit(1);
    ::_exit(::read(go.read.get(), &byte, 1) == 0 ? 0 : 1);
  }
  ready.write.reset();
  const auto held = reserve(each);
  std::istringstream others(ddp::test::read_line(ready.read.get()));
  std::set<int> ports;
  for (const auto& one : held) CHECK(ports.insert(one.port()).second);
  int count = 0;
  for (int port = 0; others >> port; ++count) CHECK(ports.insert(port).second);
  CHECK(count == each);
  go.write.reset();
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a port that is bound is skipped") {
  // So few are free that each is drawn.
  const PortRange all_but_some{1024, 64535};
  const PortRange range = reservable_ports(all_but_some);
  REQUIRE(range.last - range.first == 999);
  std::vector<ScopedFd> strangers;
  std::set<int> taken;
  for (int port = range.first; port < range.first + 500; ++port) {
    ScopedFd stranger = listen_on(AF_INET, static_cast<std::uint16_t>(port), /*reuse=*/true);
    if (stranger.valid()) strangers.push_back(std::move(stranger));
    taken.insert(port);
  }
  REQUIRE(strangers.size() > 400);
  for (int i = 0; i < 2000; ++i) {
    const auto reserved = PortReservation::any(all_but_some);
    REQUIRE(reserved);
    REQUIRE(is_within(range, reserved->port()));
    REQUIRE(taken.count(reserved->port()) == 0);
  }
}

TEST_CASE("where the automatic range leaves too few ports, a socket holds the port") {
  const auto reserved = PortReservation::any(kEveryPort);
  REQUIRE(reserved);
  for (const int family : families()) {
    CHECK(can_listen(family, reserved->port(), /*reuse=*/true));
    // The negative control of the cases above: such a reservation is in this worker's way.
    CHECK_FALSE(can_listen(family, reserved->port(), /*reuse=*/false));
  }
  for (int i = 0; i < 2000; ++i) REQUIRE(any_port() != reserved->port());
}

TEST_CASE("the ports from which reservations are chosen") {
  const auto range = [](int first, int last) {
    const PortRange drawn = reservable_ports({first, last});
    return drawn.last < drawn.first
               ? std::string("none")
               : std::to_string(drawn.first) + "-" + std::to_string(drawn.last);
  };
  CHECK(range(32768, 60999) == "61000-65535");  // the kernel's default
  CHECK(range(1024, 64535) == "64536-65535");
  CHECK(range(1024, 64536) == "none");  // 999 are too few
  CHECK(range(1024, 65535) == "none");
  CHECK(range(1, 65535) == "none");
  CHECK(range(32768, 65535) == "10000-29999");
  CHECK(range(20000, 65535) == "10000-19999");
  CHECK(range(10500, 65535) == "none");
  CHECK(range(1024, 4999) == "32768-65535");
  CHECK(range(1024, 31000) == "32768-65535");
}

TEST_CASE("an unreadable range counts as all ports") {
  const std::string path = "automatic_ports." + std::to_string(::getpid());
  const auto read = [&](const std::string& text) {
    std::ofstream(path) << text;
    const PortRange range = automatic_ports(path);
    return std::to_string(range.first) + "-" + std::to_string(range.last);
  };
  CHECK(read("32768\t60999\n") == "32768-60999");
  CHECK(read("1024 65535") == "1024-65535");
  CHECK(read("") == "1-65535");
  CHECK(read("many\n") == "1-65535");
  CHECK(read("32768\n") == "1-65535");
  CHECK(::unlink(path.c_str()) == 0);
  CHECK(automatic_ports(path).last == 65535);
}
