// With programs in getent's place, and with the machine's own.
#include "launcher/os/resolve.hpp"

#include "tests/launcher/os/children.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>

#include <filesystem>

namespace {

using namespace ddp::os;
using namespace std::chrono_literals;
using Answer = Lookup::Answer;
using Addresses = std::vector<std::string>;

Lookup ask(const std::string& script, std::chrono::milliseconds limit = 30s) {
  const auto path = ddp::test::make_temp_dir() / "getent";
  ddp::test::write_script(path, "#!/bin/sh\n" + script);
  LookupConfig config{.getent = path.string(), .limit = limit};
  config.name_servers.emplace();  // none
  return look_up("host0", config);
}

bool has_child() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

TEST_CASE("the addresses that getent finds are returned") {
  const auto found = ask(
      "[ \"$*\" = 'ahosts host0' ] || exit 9\n"
      "printf '10.0.0.7 STREAM host0\\n10.0.0.7 DGRAM\\n10.0.0.7 RAW\\nfe80::1%%eth0 STREAM\\n'");
  CHECK(found.answer == Answer::found);
  CHECK(found.addresses == Addresses{"10.0.0.7", "fe80::1%eth0"});
  CHECK_FALSE(has_child());
}

TEST_CASE("a name that getent does not find is unknown only if a name server answers") {
  const auto unknown = ask("exit 2");
  CHECK(unknown.answer == Answer::no_answer);
  CHECK(unknown.why == "no name server answers");

  // A server that answers NXDOMAIN: a child, whose socket exists before the query.
  ScopedFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  NameServer self;
  self.size = sizeof address;
  REQUIRE(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&self.address), &self.size) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    char packet[512];
    ::alarm(30);
    const ssize_t got = ::recvfrom(server.get(), packet, sizeof packet, 0,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    packet[2] = static_cast<char>(packet[2] | 0x80);
    packet[3] = 3;
    ::_exit(::sendto(server.get(), packet, static_cast<std::size_t>(got), 0,
                     reinterpret_cast<sockaddr*>(&from), size) == got
                ? 0
                : 1);
  }
  const auto path = ddp::test::make_temp_dir() / "getent";
  ddp::test::write_script(path, "#!/bin/sh\nexit 2");
  LookupConfig config{.getent = path.string(), .limit = 30s};
  config.name_servers = {self};
  CHECK(look_up("host0", config).answer == Answer::not_found);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a getent that does not answer in time is killed and reaped") {
  for (const char* script : {"exec tail -f /dev/null", "exec >/dev/null; exec tail -f /dev/null",
                             "trap '' TERM; exec tail -f /dev/null"}) {
    CAPTURE(script);
    const auto late = ask(script, 50ms);
    CHECK(late.answer == Answer::no_answer);
    CHECK(late.why == "no answer in 0.05 s");
    CHECK_FALSE(has_child());
  }
}

TEST_CASE("a stop request ends the wait and stays pending") {
  sigset_t set;
  sigset_t before;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  REQUIRE(::sigprocmask(SIG_BLOCK, &set, &before) == 0);
  REQUIRE(::raise(SIGTERM) == 0);
  CHECK(ask("exec tail -f /dev/null").answer == Answer::not_checked);
  CHECK_FALSE(has_child());
  siginfo_t info{};
  const timespec none{};
  CHECK(::sigtimedwait(&set, &info, &none) == SIGTERM);
  REQUIRE(::sigprocmask(SIG_SETMASK, &before, nullptr) == 0);
}

TEST_CASE("without getent, or where it fails in another way, the name is not checked") {
  CHECK(look_up("host0", {.getent = "/nonexistent/getent"}).answer == Answer::not_checked);
  CHECK(ask("exit 1").answer == Answer::not_checked);
  CHECK(ask("kill -9 $$").answer == Answer::not_checked);
  CHECK_FALSE(has_child());
}

TEST_CASE("the machine's own getent knows localhost") {
  if (!std::filesystem::exists("/usr/bin/getent")) return;
  const auto found = look_up("localhost");
  CHECK(found.answer == Answer::found);
  CHECK_FALSE(found.addresses.empty());
}
