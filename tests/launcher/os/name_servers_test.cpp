// Against name servers of the test's own on the loopback address.
#include "launcher/os/name_servers.hpp"

#include "launcher/os/fd.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include <thread>

namespace {

using namespace ddp::os;
using namespace std::chrono_literals;

// A UDP socket on a port that the kernel chooses; answers one query on request.
class Server {
 public:
  Server() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd_.get(), any, sizeof address) == 0);
    self_.size = sizeof address;
    REQUIRE(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&self_.address), &self_.size) ==
            0);
  }
  ~Server() {
    if (thread_.joinable()) thread_.join();
  }
  void answer(char code) {
    thread_ = std::thread([this, code] {
      pollfd wait{fd_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 30'000) != 1) return;
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      char packet[512];
      const ssize_t got = ::recvfrom(fd_.get(), packet, sizeof packet, 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 12) return;
      query_.assign(packet + 12, static_cast<std::size_t>(got) - 12);
      packet[2] = static_cast<char>(packet[2] | 0x80);
      packet[3] = code;
      auto* const to = reinterpret_cast<sockaddr*>(&from);
      // An answer to another question comes first, which must not count.
      char other[12] = {static_cast<char>(packet[0] + 1), packet[1], static_cast<char>(0x80), 3};
      ::sendto(fd_.get(), other, sizeof other, 0, to, size);
      ::sendto(fd_.get(), packet, static_cast<std::size_t>(got), 0, to, size);
    });
  }
  void close() { fd_.reset(); }
  const NameServer& self() const { return self_; }
  std::string query() {
    thread_.join();
    return query_;
  }

 private:
  ScopedFd fd_;
  NameServer self_;
  std::string query_;
  std::thread thread_;
};

std::string shown(const NameServer& server) {
  char text[INET6_ADDRSTRLEN] = {};
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(server.address);
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(server.address);
  const bool is_v4 = server.address.ss_family == AF_INET;
  ::inet_ntop(server.address.ss_family,
              is_v4 ? static_cast<const void*>(&v4.sin_addr) : &v6.sin6_addr, text, sizeof text);
  return std::string(text) + " " + std::to_string(ntohs(is_v4 ? v4.sin_port : v6.sin6_port));
}

std::vector<std::string> shown(const std::string& resolv_conf) {
  std::vector<std::string> texts;
  for (const auto& server : name_servers(resolv_conf)) texts.push_back(shown(server));
  return texts;
}

}  // namespace

TEST_CASE(
    "a server that knows the name, or knows that it does not exist, answers; one that fails does "
    "not") {
  for (const auto& [code, answers] : {std::pair(0, true), {3, true}, {2, false}, {5, false}}) {
    CAPTURE(code);
    Server server;
    server.answer(static_cast<char>(code));
    CHECK(any_answers({server.self()}, "node7.cluster", 30s) == answers);
    CHECK(server.query() == std::string("\x05node7\x07"
                                        "cluster\0\0\x01\0\x01",
                                        19));
  }
}

TEST_CASE("a closed port gives no answer at once, and a silent server none within the limit") {
  Server gone;
  gone.close();
  CHECK_FALSE(any_answers({gone.self()}, "node7", 30s));
  Server silent;
  CHECK_FALSE(any_answers({silent.self()}, "node7", 20ms));
  CHECK_FALSE(any_answers({}, "node7", 30s));
  // One that answers is enough.
  Server good;
  good.answer(3);
  CHECK(any_answers({gone.self(), silent.self(), good.self()}, "node7.", 30s));
}

TEST_CASE("name servers are read as the C library reads them") {
  const auto file = ddp::test::make_temp_dir() / "resolv.conf";
  ddp::test::write_file(file,
                        "# nameserver 9.9.9.9\nsearch a b\nnameserver 10.0.0.2\n"
                        "nameserver   2001:db8::1 # why\nnameserver nonsense\n"
                        "nameserver 10.0.0.3\nnameserver 10.0.0.4\n");
  CHECK(shown(file.string()) ==
        std::vector<std::string>{"10.0.0.2 53", "2001:db8::1 53", "10.0.0.3 53"});
  CHECK(shown("/nonexistent") == std::vector<std::string>{"127.0.0.1 53"});
}
