#include "launcher/rendezvous/master_addr.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

using namespace ddp;

namespace {

// "<text> literal", "<text> name", or "expected <…>".
std::string read(const std::string& text) {
  const auto address = read_master_address(text);
  if (!address) return "expected " + address.error();
  return address->text + (address->literal ? " literal" : " name");
}

const std::string kMalformed = "expected a host name or an IP address";

}  // namespace

TEST_CASE("addresses of both families, IPv6 in brackets or not") {
  CHECK(read("10.0.0.1") == "10.0.0.1 literal");
  CHECK(read("::1") == "::1 literal");
  CHECK(read("[::1]") == "::1 literal");
  CHECK(read("::") == ":: literal");
  CHECK(read("2001:db8::7") == "2001:db8::7 literal");
  CHECK(read("[2001:DB8:0:0:0:0:0:7]") == "2001:DB8:0:0:0:0:0:7 literal");
  CHECK(read("::ffff:10.0.0.1") == "::ffff:10.0.0.1 literal");
  CHECK(read("fe80::1%eth0") == "fe80::1%eth0 literal");
  CHECK(read("[fe80::1%eth0.7]") == "fe80::1%eth0.7 literal");
  CHECK(read("::1:2222") == "::1:2222 literal");  // which is an address too
}

TEST_CASE("what looks like a host name follows the rules for those") {
  for (const std::string name :
       {"h", "node-7", "node7.cluster.local", "node7.cluster.local.", "my_service", "7zip",
        "3com.com", "xn--bcher-kva.example", "0123456789012"}) {
    CHECK(read(name) == name + " name");
  }
  const std::string label(63, 'a');
  CHECK(read(label) == label + " name");
  CHECK(read(label + "a") == kMalformed);
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  REQUIRE(longest.size() == 253);
  CHECK(read(longest) == longest + " name");
  CHECK(read(longest + "b") == kMalformed);
}

TEST_CASE("a port belongs into --master-port, and the refusal says so") {
  const std::string without = "expected a host name or an IP address without a port: ";
  CHECK(read("host:2222") == without + "--master-addr host --master-port 2222");
  CHECK(read("10.0.0.1:80") == without + "--master-addr 10.0.0.1 --master-port 80");
  CHECK(read("[::1]:2222") == without + "--master-addr ::1 --master-port 2222");
}

TEST_CASE("everything else is malformed") {
  for (const std::string text : {"",
                                 " ",
                                 "a b",
                                 "a/b",
                                 "http://host",
                                 "1.2.3",
                                 "1.2.3.4.5",
                                 "256.1.1.1",
                                 "01.2.3.4",
                                 "1",
                                 "2130706433",
                                 "1.2.3:80",
                                 "[::1",
                                 "::1]",
                                 "[]",
                                 "[::1]x",
                                 "[::1]:",
                                 "[::1]:x",
                                 "[10.0.0.1]",
                                 "[host]",
                                 "::g",
                                 ":::",
                                 "1:2:3",
                                 "host:",
                                 ":80",
                                 "host:http",
                                 "host:1:2",
                                 "-h",
                                 "h-",
                                 "a..b",
                                 ".",
                                 ".a",
                                 "a.-b",
                                 "h%eth0",
                                 "::1%",
                                 "::1%a/b",
                                 "::1%0123456789abcdef",
                                 "b\xc3\xbc"
                                 "cher",
                                 "h\n",
                                 "h\x7f"}) {
    CAPTURE(text);
    CHECK(read(text) == kMalformed);
  }
  CHECK(read(std::string("h\0h", 3)) == kMalformed);
  CHECK(read(std::string("::1\0", 4)) == kMalformed);
}

TEST_CASE("the option is refused or normalised") {
  const FakeMachine machine;
  CHECK(machine.refused({"--master-addr", "host:2222"}) ==
        "--master-addr is 'host:2222': expected a host name or an IP address without a port: "
        "--master-addr host --master-port 2222");
  CHECK(machine.refused({"--master-addr", "[::1"}) ==
        "--master-addr is '[::1': expected a host name or an IP address");
  CHECK(machine.good({"--master-addr", "[::1]"}).rendezvous.master_addr == "::1");
  CHECK(machine.good({"--master-addr", "::1"}).rendezvous.master_addr == "::1");
}
