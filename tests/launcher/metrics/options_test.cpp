#include "launcher/metrics/options.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace ddp;
using metrics::Endpoint;

namespace {

// What is read from the value, or the refusal.
Result<metrics::Options> read(const std::string& flag, const std::string& text) {
  Settings settings;
  settings.set(flag, {flag, text});
  metrics::Options options;
  if (const auto failure = metrics::read(SettingsReader(settings), options)) return *failure;
  return options;
}

}  // namespace

TEST_CASE("without an address metrics are served on the loopback address alone") {
  for (const char* text : {"9400", ":9400", "localhost:9400", "127.0.0.1:9400"}) {
    const auto options = read("--metrics", text);
    REQUIRE_MESSAGE(options, text);
    CHECK(options->endpoint == Endpoint{"127.0.0.1", 9400, "--metrics"});
    CHECK(options->any());
  }
}

TEST_CASE("another address only where it is given") {
  CHECK(read("--metrics", "0.0.0.0:9400")->endpoint->address == "0.0.0.0");
  CHECK(read("--metrics", "10.1.2.3:0")->endpoint->port == 0);
  CHECK(read("--metrics", "[::1]:65535")->endpoint == Endpoint{"::1", 65535, "--metrics"});
  CHECK(read("--metrics", "[::]:1")->endpoint->address == "::");
}

TEST_CASE("what is no address and port is refused in one line") {
  for (const char* text : {"", ":", "x", "-1", "65536", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                           "::1:9400", "[::1]", "[127.0.0.1]:9400", "host:9400", "[]:9400",
                           "127.0.0.1:9400:9400", "9400 ", "http://127.0.0.1:9400", "1.2.3:9400"}) {
    const auto options = read("--metrics", text);
    REQUIRE_MESSAGE(!options, text);
    CHECK(options.error() ==
          "--metrics is '" + std::string(text) +
              "': expected PORT or ADDR:PORT, with an IP address (IPv6 in brackets) or localhost, "
              "and a port from 0 to 65535");
  }
}

TEST_CASE("a file is refused that cannot be written, as far as that is known") {
  CHECK(read("--metrics-file", "run.prom")->file == "run.prom");
  CHECK(read("--metrics-file", "/tmp/run.prom")->any());
  for (const char* text : {"", "/tmp", "/tmp/", "/no/such/directory/run.prom"}) {
    const auto options = read("--metrics-file", text);
    REQUIRE_MESSAGE(!options, text);
    CHECK(options.error() == "--metrics-file is '" + std::string(text) +
                                 "': expected a file in a directory that exists");
  }
  CHECK_FALSE(metrics::Options().any());
}
