// Requests as lines, both ways, and who may send one.
#include "launcher/control/protocol.hpp"

#include "launcher/control/server.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace ddp::control;

TEST_CASE("a request is read as it was written") {
  const Request requests[] = {
      {.command = Command::info},
      {.command = Command::status},
      {.command = Command::stop},
      {.command = Command::restart},
      {.command = Command::logs, .ranks = {0, 7}, .lines = 3, .follow = true},
      {.command = Command::kill, .ranks = {2}},
      {.command = Command::signal, .ranks = {0, 1}, .signal = SIGUSR1},
      {.command = Command::stacks, .ranks = {5}},
      {.command = Command::inject, .fault = "kill@rank=2"},
  };
  for (const auto& request : requests) {
    const std::string line = request_line(request);
    CAPTURE(line);
    REQUIRE(line.back() == '\n');
    const auto again = parse_request(std::string_view(line).substr(0, line.size() - 1));
    REQUIRE(again);
    CHECK(*again == request);
  }
}

TEST_CASE("what a command needs is asked for") {
  const std::pair<const char*, const char*> wrong[] = {
      {"{\"command\":\"signal\"}", "expected a signal such as USR1"},
      {"{\"command\":\"inject\"}", "expected a fault such as kill@rank=2"},
      {"{\"command\":\"logs\",\"lines\":65}", "expected a number from 0 to 64"},
      {"{\"command\":\"logs\",\"follow\":1}", "logs takes no 'follow'"},
      {"{\"command\":\"info\",\"ranks\":[1]}", "info takes no 'ranks'"},
  };
  for (const auto& [line, why] : wrong) {
    const auto request = parse_request(line);
    REQUIRE_FALSE(request);
    CAPTURE(request.error());
    CHECK(request.error().find(why) != std::string::npos);
  }
}

TEST_CASE("the user of the launch and root may control it, and no other") {
  CHECK(may_control(1000, 1000));
  CHECK(may_control(0, 1000));
  CHECK_FALSE(may_control(1001, 1000));
  CHECK_FALSE(may_control(1000, 0));
}
