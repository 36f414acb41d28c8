// The answers of NCCL's RAS in both of its formats: those in the corpus of the fuzz target.
#include "launcher/hangs/ras_answer.hpp"
#include "launcher/hangs/ras_query.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace {

using namespace ddp;
using Ranks = std::vector<std::pair<int, int>>;  // number and pid

std::string answer(const char* name) {
  std::ifstream file(std::string(DDP_SOURCE_DIR "/tests/fuzz/corpus/ras_answer/") + name);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

Ranks ranks(const std::vector<core::RasRank>& found) {
  Ranks ranks;
  for (const auto& rank : found) ranks.emplace_back(rank.number, rank.pid);
  return ranks;
}

}  // namespace

TEST_CASE("JSON: missing ranks, unequal counts, errors and former members, by communicator") {
  const auto found = parse_ras_answer(answer("json"));
  REQUIRE(found);
  REQUIRE(found->size() == 4);
  const auto& world = (*found)[0];
  CHECK(world.id == "0xae94423cfbb2ef4a");
  CHECK(world.size == 4);
  CHECK(ranks(world.missing) == Ranks{{3, 1003}});
  REQUIRE(world.mismatches.size() == 1);  // the broadcasts are equally many
  const auto& counts = world.mismatches[0].counts;
  CHECK(world.mismatches[0].operation == "AllReduce");
  REQUIRE(counts.size() == 2);
  CHECK(counts[0].operations == 42);
  CHECK(ranks(counts[0].ranks) == Ranks{{0, 1000}, {1, 1001}});
  CHECK(counts[1].operations == 41);
  CHECK(ranks(counts[1].ranks) == Ranks{{2, 1002}});
  // Its process answers: that rank is not missing.
  CHECK((*found)[1].missing.empty());
  CHECK(ranks((*found)[1].left) == Ranks{{1, 1001}});
  CHECK(ranks((*found)[2].failed) == Ranks{{1, 1001}});
  CHECK_FALSE((*found)[3].conspicuous());  // still initialising is no error
}

TEST_CASE("text: the same, as NCCL 2.26 and later print it") {
  const auto found = parse_ras_answer(answer("text"));
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  const auto& world = (*found)[0];
  CHECK(world.id == "0xae94423cfbb2ef4a");
  CHECK(world.size == 4);
  CHECK(ranks(world.missing) == Ranks{{3, 1003}});
  REQUIRE(world.mismatches.size() == 2);
  CHECK(world.mismatches[0].operation == "AllReduce");
  CHECK(world.mismatches[0].counts[0].size == 2);
  CHECK(world.mismatches[0].counts[1].operations == 41);
  CHECK(ranks(world.mismatches[0].counts[1].ranks) == Ranks{{2, 1002}});
  CHECK(world.mismatches[1].operation == "Broadcast");
  CHECK(world.mismatches[1].counts[1].operations == 0);
  CHECK((*found)[1].size == 2);
  CHECK(ranks((*found)[1].failed) == Ranks{{1, 1001}});
  CHECK(ranks((*found)[1].left) == Ranks{{1, 1001}});
}

TEST_CASE("text: as NCCL 2.24 prints it") {
  const auto found = parse_ras_answer(answer("text_2.24"));
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  const auto& world = (*found)[0];
  CHECK(ranks(world.missing) == Ranks{{21, 0}, {22, 0}});
  REQUIRE(world.mismatches.size() == 1);
  CHECK(world.mismatches[0].operation == "collective");
  CHECK(world.mismatches[0].counts[0].size == 26);
  CHECK(world.mismatches[0].counts[1].size == 4);
  CHECK(ranks(world.mismatches[0].counts[1].ranks) ==
        Ranks{{0, 1000}, {2, 1002}, {3, 1003}, {4, 1004}});
}

TEST_CASE("what is no whole answer is an error") {
  const std::string json = answer("json");
  const std::string text = answer("text");
  CHECK_FALSE(parse_ras_answer(""));
  CHECK_FALSE(parse_ras_answer("\n"));
  CHECK_FALSE(parse_ras_answer("HTTP/1.1 400 Bad Request\r\n"));
  CHECK_FALSE(parse_ras_answer("{}"));
  CHECK_FALSE(parse_ras_answer(json.substr(0, json.size() / 2)));
  CHECK_FALSE(parse_ras_answer(text.substr(0, text.find("Warnings"))));
  CHECK(parse_ras_answer(text));
}

TEST_CASE("JSON may follow blanks, and is known as such") {
  const std::string json = " \r\n" + answer("json");
  CHECK(is_ras_json(json));
  CHECK(parse_ras_answer(json));
  CHECK_FALSE(is_ras_json(answer("text")));
  CHECK_FALSE(is_ras_json("\n"));
}

TEST_CASE("the address is numeric, or localhost") {
  using Endpoints = std::vector<std::pair<std::string, std::uint16_t>>;
  CHECK(ras_endpoints("127.0.0.1:4711") == Endpoints{{"127.0.0.1", 4711}});
  CHECK(ras_endpoints("[::1]:4711") == Endpoints{{"::1", 4711}});
  CHECK(ras_endpoints("localhost:28028") == Endpoints{{"127.0.0.1", 28028}, {"::1", 28028}});
  for (const char* bad : {"", ":", "4711", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
                          "127.0.0.1:65536", "node7:28028", "127.0.0.1:4711x"}) {
    CAPTURE(bad);
    CHECK(ras_endpoints(bad).empty());
  }
}
