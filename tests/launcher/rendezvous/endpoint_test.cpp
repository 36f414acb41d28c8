#include "launcher/rendezvous/endpoint.hpp"

#include <doctest/doctest.h>

using namespace ddp;

TEST_CASE("an endpoint is a host with or without a port") {
  const auto read = [](const char* text) {
    const auto endpoint = read_endpoint(text);
    REQUIRE_MESSAGE(endpoint, text);
    return std::pair(endpoint->host, endpoint->port ? int{*endpoint->port} : -1);
  };
  CHECK(read("host0:29400") == std::pair(std::string("host0"), 29400));
  CHECK(read("host0") == std::pair(std::string("host0"), -1));
  CHECK(read("localhost:0") == std::pair(std::string("localhost"), 0));
  CHECK(read("10.0.0.1:65535") == std::pair(std::string("10.0.0.1"), 65535));
  CHECK(read("[fe80::1%eth0]:4711") == std::pair(std::string("fe80::1%eth0"), 4711));
  CHECK(read("[::1]") == std::pair(std::string("::1"), -1));
  CHECK(read("::1") == std::pair(std::string("::1"), -1));  // its last part is no port
}

TEST_CASE("what is no endpoint is refused") {
  for (const char* const text : {"", ":29400", "host:", "host:x", "host:65536", "host:-1", "a b:1",
                                 "[::1", "[::1]x:1", "host:1:2", "http://host:1"}) {
    const auto endpoint = read_endpoint(text);
    REQUIRE_MESSAGE(!endpoint, text);
    CHECK(endpoint.error() == "HOST, HOST:PORT or [IPV6]:PORT, with a port of at most 65535");
  }
}
