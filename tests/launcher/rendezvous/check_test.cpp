#include "launcher/rendezvous/check.hpp"

#include "tests/launcher/cli/options_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace ddp;
using Words = std::vector<std::string>;
using Answer = os::Lookup::Answer;

namespace {

// A network that knows one name, has some addresses and keeps a record of what it was asked.
struct Fake {
  os::Lookup answer{.answer = Answer::found, .addresses = {"10.0.0.1"}};
  Words own{"10.0.0.1", "127.0.0.1", "::1"};
  Words in_use;  // addresses where the port is
  std::vector<os::PortUser> users;
  Words asked;

  Network network() {
    return {.look_up =
                [this](const std::string& name) {
                  asked.push_back("name " + name);
                  return answer;
                },
            .is_own_address =
                [this](const std::string& address) {
                  return std::count(own.begin(), own.end(), address) > 0;
                },
            .port_is_in_use =
                [this](const std::string& address, std::uint16_t port) {
                  asked.push_back("port " + address + " " + std::to_string(port));
                  return std::count(in_use.begin(), in_use.end(), address) > 0;
                },
            .users_of_port = [this](std::uint16_t) { return users; }};
  }
  std::variant<Options, ExitNow> parse(Words words) {
    FakeMachine machine;
    machine.network = network();
    words.insert(words.end(), {"--", "./worker"});
    return machine.parse(words);
  }
  Options good(const Words& words) {
    auto parsed = parse(words);
    const auto* leave = std::get_if<ExitNow>(&parsed);
    REQUIRE_MESSAGE(leave == nullptr, leave->text);
    return std::get<Options>(std::move(parsed));
  }
};

Words job(const char* node, const char* addr = "host0") {
  return {"--nnodes",      "2",     "--node-rank", node, "--master-addr", addr,
          "--master-port", "29500", "--run-id",    "r"};
}

}  // namespace

TEST_CASE("a name that resolves to this machine and a free port are accepted in silence") {
  Fake fake;
  CHECK(fake.good(job("0")).warnings.empty());
  CHECK(fake.asked == Words{"name host0", "port 10.0.0.1 29500"});
}

TEST_CASE("only the machine of rank 0 checks address and port") {
  Fake fake;
  fake.own.clear();
  fake.in_use = {"10.0.0.1", ""};
  CHECK(fake.good(job("1")).warnings.empty());
  CHECK(fake.asked == Words{"name host0"});
}

TEST_CASE("no name is looked up where there is none, and nothing for a dry run") {
  for (const char* addr : {"localhost", "127.0.0.1", "::1", "[::1]"}) {
    CAPTURE(addr);
    Fake fake;
    CHECK(fake.good({"--master-addr", addr}).warnings.empty());
    CHECK(fake.asked.empty());
  }
  Fake fake;
  fake.answer = {.answer = Answer::not_found};
  fake.good({});
  auto words = job("0");
  words.push_back("--dry-run");
  CHECK(fake.good(words).warnings.empty());
  CHECK(fake.asked.empty());
}

TEST_CASE("a name that does not resolve is refused, after everything else was found good") {
  Fake fake;
  fake.answer = {.answer = Answer::not_found};
  const auto refused = fake.parse(job("0"));
  REQUIRE(std::holds_alternative<ExitNow>(refused));
  CHECK(std::get<ExitNow>(refused).code == 2);
  CHECK(std::get<ExitNow>(refused).text ==
        "ddp-launch: --master-addr is 'host0': expected a name that resolves on this machine; "
        "'getent ahosts host0' finds no such host\n");
  fake.asked.clear();
  auto words = job("0");
  words.insert(words.end(), {"--log-level", "loud"});
  const auto other = fake.parse(words);
  REQUIRE(std::holds_alternative<ExitNow>(other));
  CHECK(std::get<ExitNow>(other).text.find("--log-level") != std::string::npos);
  CHECK(fake.asked.empty());
}

TEST_CASE("on another machine than rank 0's the name may come later: a warning") {
  Fake fake;
  fake.answer = {.answer = Answer::not_found};
  const auto options = fake.good(job("1"));
  REQUIRE(options.warnings.size() == 1);
  CHECK(options.warnings[0].find("no such host") != std::string::npos);
}

TEST_CASE("a resolver without an answer is a warning") {
  Fake fake;
  fake.answer = {.answer = Answer::no_answer, .why = "no answer in 3 s"};
  CHECK(
      fake.good(job("0")).warnings ==
      Words{"--master-addr is 'host0', which could not be resolved on this machine ('getent ahosts "
            "host0': no answer in 3 s); continuing, because the workers may be able to"});
  // Of an address that is not known nothing can be said; the port has to be free everywhere.
  CHECK(fake.asked == Words{"name host0", "port  29500"});
  fake.answer = {.answer = Answer::not_checked};
  CHECK(fake.good(job("0")).warnings.empty());
}

TEST_CASE("rank 0 at an address that is another machine's is a warning") {
  Fake fake;
  fake.answer.addresses = {"10.9.9.9", "10.9.9.8"};
  const auto warnings = fake.good(job("0")).warnings;
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] ==
        "--master-addr host0 (10.9.9.9) is no address of this machine, where rank 0 runs; check it "
        "and "
        "--node-rank, unless it is forwarded here");
  CHECK(fake.asked.back() == "port  29500");
  // One of several is enough.
  fake.answer.addresses = {"10.9.9.9", "10.0.0.1"};
  CHECK(fake.good(job("0")).warnings.empty());
  CHECK(fake.asked.back() == "port 10.0.0.1 29500");
  // One machine is where rank 0 runs.
  CHECK(fake.good({"--master-addr", "10.9.9.9"}).warnings.size() == 1);
  CHECK(fake.good({"--master-addr", "10.9.9.9"}).warnings[0].find("10.9.9.9 is") !=
        std::string::npos);
  // The default is not what somebody chose, even where the loopback interface is down.
  fake.own.clear();
  CHECK(fake.good({}).warnings.empty());
}

TEST_CASE("a port in use is refused with 71, and who uses it is named") {
  Fake fake;
  fake.in_use = {"127.0.0.1"};
  const auto text = [&](const Words& words) {
    const auto parsed = fake.parse(words);
    REQUIRE(std::holds_alternative<ExitNow>(parsed));
    CHECK(std::get<ExitNow>(parsed).code == 71);
    return std::get<ExitNow>(parsed).text;
  };
  const std::string head = "ddp-launch: --master-port is '29500', which is in use on this machine";
  const std::string tail =
      ": rank 0 could not listen there; stop what uses it or choose another port\n";
  fake.users = {{123, "python3"}};
  CHECK(text({"--master-port", "29500"}) == head + " by python3 (pid 123)" + tail);
  CHECK(text({"--master-port", "29500", "--master-addr", "localhost"}) ==
        head + " by python3 (pid 123)" + tail);
  fake.users = {{1, "a"}, {2, "b\n"}, {3, "c"}, {4, "d"}};
  CHECK(text({"--master-port", "29500"}) ==
        head + " by a (pid 1), b  (pid 2), c (pid 3) and 1 more" + tail);
  fake.users.clear();
  CHECK(text({"--master-port", "29500"}) ==
        head +
            "; no process that uses it is visible here (another user's or container's, or a "
            "connection that has just ended)" +
            tail);
  // A port of ddp-launch's own choice is free, and the other addresses are no one's concern.
  CHECK(fake.good({}).warnings.empty());
  CHECK(fake.good(job("0")).warnings.empty());
}
