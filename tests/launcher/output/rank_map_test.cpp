#include "launcher/output/rank_map.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace ddp;

namespace {

// "0 3 1": the map as torchrun's digits, or the error.
std::string map(const std::string& text, int nproc) {
  const auto parsed = parse_stream_map({"-r", text}, nproc);
  if (!parsed) return parsed.error();
  std::string digits;
  for (const auto& set : *parsed)
    digits += (digits.empty() ? "" : " ") + std::to_string((set.out ? 1 : 0) + (set.err ? 2 : 0));
  return digits;
}

std::string ranks(const std::string& text, int nproc) {
  const auto parsed = parse_rank_list({"-f", text}, nproc);
  if (!parsed) return parsed.error();
  std::string bits;
  for (const bool listed : *parsed) bits += listed ? '1' : '0';
  return bits;
}

}  // namespace

TEST_CASE("one digit is for every rank") {
  CHECK(map("0", 2) == "0 0");
  CHECK(map("1", 1) == "1");
  CHECK(map("2", 3) == "2 2 2");
  CHECK(map("3", 2) == "3 3");
}

TEST_CASE("a map is for the ranks it names, in any order; the others are 0") {
  CHECK(map("0:3,11:1", 12) == "3 0 0 0 0 0 0 0 0 0 0 1");
  CHECK(map("2:1,0:2", 3) == "2 0 1");
  CHECK(map("1:0", 2) == "0 0");
}

TEST_CASE("a wrong map says which part of it is wrong") {
  CHECK(map("", 2) == "-r is '': expected 0, 1, 2 or 3, or a map such as 0:3,1:2");
  CHECK(map("4", 2) == "-r is '4': expected 0, 1, 2 or 3, or a map such as 0:3,1:2");
  CHECK(map("3,1", 2) == "-r is '3,1': expected 0, 1, 2 or 3, or a map such as 0:3,1:2");
  CHECK(map("0:4", 2) == "-r is '0:4': expected 0, 1, 2 or 3 for local rank 0, not '4'");
  CHECK(map("0:", 2) == "-r is '0:': expected 0, 1, 2 or 3 for local rank 0, not ''");
  CHECK(map("0:1,", 2) == "-r is '0:1,': expected 'rank:0' to 'rank:3' between commas, not ''");
  CHECK(map("0:1:2", 2) == "-r is '0:1:2': expected 0, 1, 2 or 3 for local rank 0, not '1:2'");
  CHECK(map("2:1", 2) == "-r is '2:1': expected local ranks 0 to 1 (--nproc is 2), not '2'");
  CHECK(map("1:1", 1) == "-r is '1:1': expected local rank 0 (--nproc is 1), not '1'");
  CHECK(map("-1:1", 2) == "-r is '-1:1': expected local ranks 0 to 1 (--nproc is 2), not '-1'");
  CHECK(map("1:1,1:2", 2) == "-r is '1:1,1:2': expected each local rank once, not 1 twice");
}

TEST_CASE("a list of ranks may hold ranges") {
  CHECK(ranks("0", 1) == "1");
  CHECK(ranks("0,2", 4) == "1010");
  CHECK(ranks("1-2", 4) == "0110");
  CHECK(ranks("3,0-1", 4) == "1101");
  const std::string allowed = "local ranks 0 to 3 (--nproc is 4), such as 0 or 0,2 or 0-3, not '";
  for (const auto& [text, part] : {std::pair<const char*, const char*>{"", ""},
                                   {"4", "4"},
                                   {"0,", ""},
                                   {"2-1", "2-1"},
                                   {"0-4", "0-4"},
                                   {"-1", "-1"},
                                   {"0-", "0-"},
                                   {"all", "all"}})
    CHECK(ranks(text, 4) == "-f is '" + std::string(text) + "': expected " + allowed + part + "'");
  CHECK(ranks("0-2,1", 4) == "-f is '0-2,1': expected each local rank once, not 1 twice");
}

TEST_CASE("random maps and lists are read for every rank or refused") {
  std::mt19937 random(2);
  const char kBytes[] = "01234,:-x ";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t i = random() % 10; i > 0; --i) text += kBytes[random() % (sizeof kBytes - 1)];
    const int nproc = 1 + static_cast<int>(random() % 5);
    if (const auto parsed = parse_stream_map({"-r", text}, nproc))
      CHECK(parsed->size() == static_cast<std::size_t>(nproc));
    else
      CHECK(parsed.error().starts_with("-r is '"));
    if (const auto parsed = parse_rank_list({"-f", text}, nproc))
      CHECK(parsed->size() == static_cast<std::size_t>(nproc));
    else
      CHECK(parsed.error().starts_with("-f is '"));
  }
}
