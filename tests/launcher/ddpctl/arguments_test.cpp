// The command line of ddpctl.
#include "launcher/ddpctl/arguments.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

using namespace ddp::ctl;

namespace {

ddp::Result<Arguments> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "ddpctl");
  return parse_arguments(static_cast<int>(words.size()), words.data());
}

std::string refusal(const std::vector<const char*>& words) {
  const auto arguments = parse(words);
  REQUIRE_FALSE(arguments);
  return arguments.error();
}

}  // namespace

TEST_CASE("every command is read, with its flags before or after it") {
  for (const auto& row : kCommands) {
    std::vector<const char*> words{row.name.data()};
    if (row.operands == Operands::one_rank) words.push_back("2");
    if (row.operands == Operands::signal_and_ranks) words.push_back("USR1");
    if (row.operands == Operands::fault) words.push_back("kill@rank=2");
    const auto arguments = parse(words);
    CAPTURE(row.name);
    REQUIRE(arguments);
    CHECK(arguments->verb == row.verb);
    CHECK(help_text().find("  " + std::string(row.name)) != std::string::npos);
  }
  for (const auto& row : kFlags) CHECK(help_text().find(row.name) != std::string::npos);
  const auto logs = parse({"--run", "r1", "logs", "-n", "5", "--rank=0-2,7", "-f"});
  REQUIRE(logs);
  CHECK(logs->run == "r1");
  CHECK(logs->lines == 5);
  CHECK(logs->ranks == std::vector{0, 1, 2, 7});
  CHECK(logs->follow);
  const auto signal = parse({"signal", "SIGTERM", "3", "0-1", "1"});
  REQUIRE(signal);
  CHECK(signal->signal == SIGTERM);
  CHECK(signal->ranks == std::vector{0, 1, 3});
}

TEST_CASE("report and trace take one path, or none") {
  CHECK(parse({"report"})->path.empty());
  const auto page = parse({"report", "logs/r", "-o", "-"});
  REQUIRE(page);
  CHECK(page->path == "logs/r");
  CHECK(page->output == "-");
  CHECK(refusal({"report", "a", "b"}) == "report takes no 'b'");
  CHECK(refusal({"trace", ""}) == "trace takes no ''");
  CHECK(refusal({"trace", "a", "--run", "r"}) == "trace takes a path or --run, not both");
  CHECK(refusal({"trace", "-o"}) == "--output needs a value");
  CHECK(refusal({"status", "-o", "x"}) == "status takes no --output");
}

TEST_CASE("what is wrong is named") {
  CHECK(refusal({"kill"}) == "expected ddpctl kill RANK");
  CHECK(refusal({"signal"}) == "expected ddpctl signal SIG [RANK...]");
  CHECK(refusal({"inject"}) == "expected ddpctl inject SPEC");
  CHECK(refusal({"kill", "0-3"}) == "the rank is '0-3': expected one rank");
  CHECK(refusal({"kill", "0", "1"}) == "kill takes no '1'");
  CHECK(refusal({"signal", "FROB"}) == "'FROB': expected a signal, such as USR1 or SIGTERM");
  CHECK(refusal({"stop", "--json"}) == "stop takes no --json");
  CHECK(refusal({"logs", "-n", "-1"}) == "--lines is '-1': expected an integer from 0 to 1000000");
  for (const char* ranks : {"", "x", "-1", "3-1", "1,", "0-9999999", "0-4096"}) {
    CAPTURE(ranks);
    CHECK(refusal({"stacks", "--", ranks}).find("expected ranks such as 2, 0-3 or 0,2") !=
          std::string::npos);
  }
}
