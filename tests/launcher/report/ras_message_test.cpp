#include "launcher/report/ras_message.hpp"

#include <doctest/doctest.h>

namespace {

using namespace ddp;
using namespace ddp::core;

RasRank global(int rank) { return {.number = rank, .pid = 0, .rank = rank}; }
RasRank local(int number) { return {.number = number, .pid = 0, .rank = {}}; }

RasCommunicator behind() {
  RasCommunicator communicator;
  communicator.id = "0x1f";
  communicator.size = 4;
  communicator.mismatches = {
      {"AllReduce", {{42, 2, {global(0), global(1)}}, {41, 1, {global(2)}}}}};
  return communicator;
}

}  // namespace

TEST_CASE("the exceptions are named, the others counted") {
  RasCommunicator communicator = behind();
  communicator.missing = {global(3)};
  CHECK(ras_text(communicator) ==
        "rank 2 has launched 41 AllReduce operations, the others 42; rank 3 is missing");
  communicator.mismatches[0].counts.push_back({40, 2, {}});  // RAS does not list which
  CHECK(ras_text(communicator) ==
        "rank 2 has launched 41 AllReduce operations, 2 ranks 40, the others 42; rank 3 is "
        "missing");
}

TEST_CASE("of two ranks one is the other") {
  RasCommunicator communicator;
  communicator.mismatches = {{"Reduce", {{3, 1, {global(0)}}, {2, 1, {global(1)}}}}};
  CHECK(ras_text(communicator) == "rank 1 has launched 2 Reduce operations, the other 3");
}

TEST_CASE("a rank that only its communicator numbers says so") {
  RasCommunicator communicator;
  communicator.left = {local(1)};
  communicator.failed = {local(0), local(1)};
  CHECK(ras_text(communicator) ==
        "rank 1 of the communicator is not a member; ranks 0, 1 of the communicator report an "
        "error");
  CHECK(ras_numbering(communicator) == "communicator");
  CHECK(ras_rank_list(communicator, communicator.failed) == "0,1");
}

TEST_CASE("a communicator has one numbering, that of the launch only if it is known of all") {
  RasCommunicator communicator;
  communicator.missing = {{.number = 0, .pid = 0, .rank = 6}, {.number = 1, .pid = 0, .rank = 7}};
  CHECK(ras_text(communicator) == "ranks 6, 7 are missing");
  CHECK(ras_numbering(communicator) == "global");
  CHECK(ras_rank_list(communicator, communicator.missing) == "6,7");
  SUBCASE("one of the same list is unknown") { communicator.missing[1].rank.reset(); }
  SUBCASE("one of another list is unknown") { communicator.left = {local(2)}; }
  SUBCASE("one of a mismatch is unknown") {
    communicator.mismatches = {{"Reduce", {{3, 1, {local(2)}}, {2, 1, {global(3)}}}}};
  }
  CHECK(ras_text(communicator).find("ranks 0, 1 of the communicator are missing") !=
        std::string::npos);
  CHECK(ras_numbering(communicator) == "communicator");
  CHECK(ras_rank_list(communicator, communicator.missing) == "0,1");
}

TEST_CASE("the report has a line for each of the first two conspicuous communicators") {
  CHECK(ras_lines({RasCommunicator{}}).empty());
  CHECK(ras_lines({RasCommunicator{}, behind()}) ==
        std::vector<std::string>{"NCCL's RAS: communicator 0x1f: rank 2 has launched 41 AllReduce "
                                 "operations, the others 42"});
  const auto lines = ras_lines({behind(), behind(), behind(), behind()});
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].ends_with("; 2 more communicators"));
  CHECK(ras_lines({behind(), behind(), behind()})[1].ends_with("; 1 more communicator"));
}

TEST_CASE("long lists are cut off") {
  RasCommunicator communicator;
  for (int rank = 0; rank < 20; ++rank) communicator.missing.push_back(global(rank));
  CHECK(ras_text(communicator) == "ranks 0, 1, 2, 3, 4, 5, 6, 7 and 12 more are missing");
}
